/**
 * kill -9 of the back-end while a guest's stream of checked pings runs through it, and a supervisor that starts it again: traffic
 * is back within two seconds each time, no byte is wrong, nothing comes twice, and nobody touches the guest. Three times; as often
 * as POLLWIRE_RESTARTS says. features.md A92.
 */
import { expect } from 'vitest';
import { interopBackend } from '../harness/backend.js';
import { vhost } from '../harness/dpdk.js';
import { echoStreamFile, endStream, silences } from '../harness/echo-stream.js';
import type { QemuGuest } from '../harness/qemu.js';
import { startGuest } from '../harness/qemu.js';
import { describePeer, scenario } from '../harness/scenario.js';
import type { Scope } from '../harness/scope.js';
import type { TestpmdSession } from '../harness/testpmd-session.js';
import { waitUntil } from '../harness/wait.js';

const backend = interopBackend();
const restarts = Number(process.env.POLLWIRE_RESTARTS ?? 3);
/** Milliseconds without a reply that a restart may cost, the start of the process included. */
const LONGEST = 2000;

function start(
  scope: Scope,
  socket: string,
  client: boolean,
  round: number,
  devargs = '',
): Promise<TestpmdSession> {
  return backend.start(scope, {
    name: `back-end-${round}`,
    vdevs: [vhost(0, socket, { client }) + devargs],
    forward: 'icmpecho',
    autoStart: true,
    memoryMiB: 64,
    mbufs: 4096,
    // What waits in the rings is not to be thrown away by `start`.
    appArgs: ['--no-flush-rx'],
  });
}

function startStream(scope: Scope, nic: Parameters<typeof startGuest>[1]['nics'][0]): QemuGuest {
  return startGuest(scope, {
    nics: [nic],
    files: echoStreamFile(scope),
    script: `
      net_up eth0 192.168.77.2 || exit 2
      lossless_ping 3 192.168.77.1 || exit 3
      # Linux forgets neighbours when the link goes down and asks for them once a second: that is not what is measured here.
      arp -s 192.168.77.1 $(awk '$1 == "192.168.77.1" { print $4 }' /proc/net/arp) || exit 4
      mark TRAFFIC
      echo-stream 192.168.77.1 2000`,
  });
}

describePeer(['qemu', ...backend.needs], `kill -9 of ${backend.kind} vhost under a guest`, () => {
  for (const role of ['server', 'client'] as const) {
    const limit = 60_000 + restarts * 10_000;
    scenario(`${restarts} times, QEMU as the ${role}`, limit, async (scope) => {
      const socket = scope.path('s0');
      const weConnect = role === 'server';
      // The two wait for each other: as a client we try until QEMU listens, which does not boot before we are there.
      const first = start(scope, socket, weConnect, 0);
      if (!weConnect) await first;
      const guest = startStream(scope, { socket, role, reconnect: !weConnect });
      let session = await first;
      await guest.waitOutput(/@@TRAFFIC/, 60_000);
      for (let round = 1; round <= restarts; round += 1) {
        const { rxPackets } = await session.portStats(0);
        await session.waitReceived(0, 50, 10_000, rxPackets);
        await session.process.kill();
        session = await start(scope, socket, weConnect, round);
        await waitUntil(`traffic after kill ${round}`, 15_000, () => silences(guest).length >= round, 20);
      }
      const { rxPackets } = await session.portStats(0);
      await session.waitReceived(0, 50, 10_000, rxPackets);
      const report = await endStream(guest);
      expect({ corrupted: report.corrupted, duplicates: report.duplicates }).toEqual({
        corrupted: 0,
        duplicates: 0,
      });
      const gaps = silences(guest);
      if (restarts > 3)
        console.log(`QEMU as the ${role}: gaps ${gaps.join(' ')} ms; ${JSON.stringify(report)}`);
      // QEMU as the client tries once a second.
      const allowed = weConnect ? LONGEST : LONGEST + 1000;
      expect(gaps.filter((gap) => gap > allowed)).toEqual([]);
      expect(guest.output().match(/@@BOOT/g)).toHaveLength(1);
      expect(await guest.finish(15_000)).toBe(0);
      // Link up again is the end of a restart: what was in the rings belongs to nobody else.
      await session.stopForwarding();
      const pool = await session.poolState();
      expect(pool.free).toBe(pool.size);
    });
  }
});

// DPDK goes on without a word.
if (backend.kind === 'pollwire') {
  describePeer('qemu', 'a restart with other features', () => {
    scenario(
      'is refused with the difference in words, and one with the same ones goes on',
      120_000,
      async (scope) => {
        const socket = scope.path('s0');
        const first = start(scope, socket, true, 0, ',tso=1');
        const guest = startStream(scope, { socket, role: 'server' });
        let session = await first;
        await guest.waitOutput(/@@TRAFFIC/, 60_000);
        await session.process.kill();
        session = await start(scope, socket, true, 1);
        await session.process.waitFor(/Not offered: .*VIRTIO_NET_F_HOST_TSO4.*start with tso=1/, 10_000);
        expect((await session.portInfo(0)).get('Link status')).toBe('down');
        await session.process.kill();
        session = await start(scope, socket, true, 2, ',tso=1');
        await waitUntil('traffic', 15_000, () => silences(guest).length >= 1, 20);
        const { corrupted, duplicates } = await endStream(guest);
        expect({ corrupted, duplicates }).toEqual({ corrupted: 0, duplicates: 0 });
        expect(await guest.finish(15_000)).toBe(0);
      },
    );
  });
}
