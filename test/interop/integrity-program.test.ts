/**
 * Payload integrity with our own program on both ends: frames with sequence and CRC leave on one vhost port, DPDK's testpmd
 * relays them (`io` between two virtio-user ports), and the program checks them on its other vhost port. Over net_ring, without
 * any peer, the program proves itself.
 */
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import type { VirtioUserOptions } from '../harness/dpdk.js';
import { startDpdk, vhost, virtioUser } from '../harness/dpdk.js';
import type { ManagedProcess } from '../harness/process.js';
import { describePeer, scenario } from '../harness/scenario.js';
import type { Scope } from '../harness/scope.js';
import type { ProgramOptions, ProgramResult } from './programs/integrity-ends.js';

function startProgram(scope: Scope, options: ProgramOptions): ManagedProcess {
  return scope.start({
    name: 'program',
    command: process.execPath,
    args: [join(import.meta.dirname, 'programs', 'integrity-ends.js'), JSON.stringify(options)],
  });
}

/** Lets the program send, and waits for its verdict. */
async function programResult(program: ManagedProcess, timeoutMs: number): Promise<ProgramResult> {
  program.write('go\n');
  const line = await program.waitFor(/^result (.*)$/m, timeoutMs);
  const { code } = await program.exited;
  expect(code).toBe(0);
  return JSON.parse(line[1] ?? '') as ProgramResult;
}

function expectAllArrived(result: ProgramResult, count: number): void {
  expect(result).toMatchObject({
    sent: count,
    received: count,
    missing: 0,
    duplicates: 0,
    outOfOrder: 0,
    unexpected: 0,
    faults: {},
    txPackets: count,
    rxPackets: count,
    txErrors: 0,
    rxErrors: 0,
  });
  expect(result.pool.free).toBe(result.pool.size);
}

describe('integrity program over net_ring', () => {
  for (const segments of [1, 3]) {
    scenario(`frames of ${segments} segment(s) come back whole`, 30_000, async (scope) => {
      const order = { count: 50_000, shortest: 60, longest: 1514, window: 256, segments };
      const program = startProgram(scope, {
        drivers: ['@pollwire/drivers'],
        vdevs: ['net_ring0'],
        lcores: '0,1',
        order,
      });
      const result = await programResult(program, 20_000);
      expectAllArrived(result, order.count);
      expect(result.chained).toBe(segments === 1 ? 0 : order.count);
    });
  }
});

interface RelayCase {
  name: string;
  ring: VirtioUserOptions;
  order: ProgramOptions['order'];
}

const cases: RelayCase[] = [
  {
    name: '60 to 1514 bytes',
    ring: {},
    order: { count: 100_000, shortest: 60, longest: 1514, window: 128, segments: 1 },
  },
  {
    name: '60 to 1514 bytes, not mergeable, not in order',
    ring: { mergeable: false, inOrder: false },
    order: { count: 100_000, shortest: 60, longest: 1514, window: 128, segments: 1 },
  },
  {
    name: '60 to 1514 bytes sent in three segments',
    ring: {},
    order: { count: 50_000, shortest: 60, longest: 1514, window: 64, segments: 3 },
  },
  {
    name: '1500 to 9000 bytes, chains both ways',
    ring: {},
    order: { count: 20_000, shortest: 1500, longest: 9000, window: 32, segments: 1 },
  },
];

describePeer('dpdk', 'integrity of our vhost ports through a DPDK relay', () => {
  for (const relay of cases) {
    scenario(relay.name, 60_000, async (scope) => {
      const sockets = [scope.path('s0'), scope.path('s1')];
      const program = startProgram(scope, {
        drivers: ['@pollwire/vhost'],
        vdevs: sockets.map((socket, index) => vhost(index, socket)),
        lcores: '0,1',
        order: relay.order,
      });
      await program.waitFor(/^ready$/m, 20_000);
      const peer = await startDpdk(scope, {
        name: 'relay',
        vdevs: sockets.map((socket, index) => virtioUser(index, socket, relay.ring)),
        forward: 'io',
        autoStart: true,
        mainLcore: 1,
      });
      const result = await programResult(program, 40_000);
      expectAllArrived(result, relay.order.count);
      const stats = [await peer.portStats(0), await peer.portStats(1)];
      expect(stats[0]?.rxPackets).toBe(relay.order.count);
      expect(stats[1]?.txPackets).toBe(relay.order.count);
    });
  }
});
