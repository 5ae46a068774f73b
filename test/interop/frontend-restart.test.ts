/**
 * The other side restarted under traffic: DPDK's virtio-user killed and started anew in front of our server and, as a server of its
 * own, behind our client, with split and packed rings. Frames carry sequence numbers and checksums; none is wrong, none comes twice,
 * and they flow again within two seconds of the link. Three times; as often as POLLWIRE_RESTARTS says.
 */
import { join } from 'node:path';
import { expect } from 'vitest';
import { startDpdk, vhost, virtioUser } from '../harness/dpdk.js';
import { repoRoot } from '../harness/paths.js';
import type { ManagedProcess } from '../harness/process.js';
import { describePeer, scenario } from '../harness/scenario.js';
import type { Scope } from '../harness/scope.js';
import type { TestpmdSession } from '../harness/testpmd-session.js';

const restarts = Number(process.env.POLLWIRE_RESTARTS ?? 3);
const program = join(repoRoot, 'test', 'dist', 'interop', 'programs', 'restart-ends.js');
/** Milliseconds from the front-end's prompt to the first frame. */
const LONGEST = 2000;

function startProgram(scope: Scope, vdev: string, name = 'program'): ManagedProcess {
  return scope.start({ name, command: process.execPath, args: [program, vdev] });
}

/** Sends back what it gets. */
function startRelay(
  scope: Scope,
  round: number,
  socket: string,
  ring: { packed: boolean; server: boolean },
): Promise<TestpmdSession> {
  return startDpdk(scope, {
    name: `front-end-${round}`,
    vdevs: [virtioUser(0, socket, ring)],
    forward: 'macswap',
    autoStart: true,
    mainLcore: 1,
    memoryMiB: 64,
    mbufs: 4096,
  });
}

const backs = (child: ManagedProcess): number => [...child.text.matchAll(/^back \d+/gm)].length;

async function resultOf(child: ManagedProcess): Promise<Record<string, unknown>> {
  child.write('end\n');
  const match = await child.waitFor(/^result (.*)$/m, 15_000);
  return JSON.parse(match[1] ?? '{}') as Record<string, unknown>;
}

function expectSound(result: Record<string, unknown>, atLeast: number): void {
  expect(result).toMatchObject({ corrupted: 0, duplicates: 0 });
  expect(result.received).toBeGreaterThan(atLeast);
  expect(result.pool).toEqual({ free: 4096, size: 4096 });
}

describePeer('dpdk', 'DPDK virtio-user restarted against our vhost port', () => {
  for (const packed of [false, true]) {
    const format = packed ? 'packed' : 'split';
    scenario(`its kill -9, ${restarts} times, ${format} rings`, 60_000 + restarts * 8000, async (scope) => {
      const socket = scope.path('s0');
      const child = startProgram(scope, vhost(0, socket));
      await child.waitFor(/^ready/m, 20_000);
      let longest = 0;
      for (let round = 1; round <= restarts; round += 1) {
        const relay = await startRelay(scope, round, socket, { packed, server: false });
        const begin = performance.now();
        await child.waitText('frames', LONGEST + 5000, () => backs(child) >= round || undefined);
        longest = Math.max(longest, performance.now() - begin);
        await relay.process.kill();
      }
      const result = await resultOf(child);
      if (restarts > 3)
        console.log(`${format}: longest ${Math.round(longest)} ms, ${JSON.stringify(result)}`);
      expectSound(result, 50 * restarts);
      expect(longest).toBeLessThan(LONGEST);
    });

    // The front-end stays; its rings go on where the used index is, though it says 0 (split), or begin anew (packed).
    scenario(`our kill -9, ${restarts} times, ${format} rings`, 60_000 + restarts * 8000, async (scope) => {
      const socket = scope.path('s0');
      const vdev = vhost(0, socket, { client: true });
      // DPDK as the server waits for its first back-end before it says anything.
      const starting = startRelay(scope, 0, socket, { packed, server: true });
      let child = startProgram(scope, vdev, 'program-0');
      const relay = await starting;
      let longest = 0;
      for (let round = 1; round <= restarts; round += 1) {
        await child.waitText('frames', 10_000, () => backs(child) >= 1 || undefined);
        const { rxPackets } = await relay.portStats(0);
        await relay.waitReceived(0, 100, 10_000, rxPackets);
        await child.kill();
        const begin = performance.now();
        child = startProgram(scope, vdev, `program-${round}`);
        await child.waitText('frames', 10_000, () => backs(child) >= 1 || undefined);
        longest = Math.max(longest, performance.now() - begin);
      }
      const result = await resultOf(child);
      if (restarts > 3)
        console.log(`${format}, our kill: longest ${Math.round(longest)} ms, ${JSON.stringify(result)}`);
      // Each of our processes counts from 0 anew, and may get back what its predecessor had sent.
      expect(result).toMatchObject({ corrupted: 0 });
      expect(result.received).toBeGreaterThan(0);
      expect(longest).toBeLessThan(LONGEST + 1000);
    });
  }
});
