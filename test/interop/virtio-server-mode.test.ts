/**
 * Our virtio-user port as the server: DPDK's vhost port connects, forwards, and goes, in order or by kill -9, 20 times. Each time
 * the link follows and traffic flows again; afterwards nothing of the back-ends is left.
 * Row A94 of docs/vhost.md.
 */
import { expect } from 'vitest';
import { startDpdk, vhost, virtioUser } from '../harness/dpdk.js';
import { startPollwire } from '../harness/pollwire.js';
import { ResourceWatch } from '../harness/resource-watch.js';
import { describePeer, scenario } from '../harness/scenario.js';
import type { Scope } from '../harness/scope.js';
import type { TestpmdSession } from '../harness/testpmd-session.js';

const visits = 20;
/** Packets to see on each visit, sent by us and sent back. */
const packets = 2000;

/** DPDK's vhost port as a client that sends back what it gets. */
function startBackend(scope: Scope, visit: number, socket: string, queues: number): Promise<TestpmdSession> {
  return startDpdk(scope, {
    name: `back-end ${visit}`,
    vdevs: [vhost(0, socket, { queues, client: true })],
    queues,
    forward: 'macswap',
    autoStart: true,
    mainLcore: 1,
    memoryMiB: 64,
    mbufs: 4096,
  });
}

async function expectWholePool(session: TestpmdSession): Promise<void> {
  const pool = await session.poolState();
  expect(pool.free).toBe(pool.size);
}

describePeer('dpdk', 'virtio-user as the server of a DPDK back-end', () => {
  for (const packed of [false, true]) {
    const format = packed ? 'packed' : 'split';
    scenario(`${visits} visits, orderly and killed in turn, ${format} rings`, 180_000, async (scope) => {
      const socket = scope.path('s0');
      const session = await startPollwire(scope, {
        name: 'front-end',
        vdevs: [virtioUser(0, socket, { server: true, queues: 2, packed })],
        queues: 2,
        // Sends all the time and frees what comes back.
        forward: 'flowgen',
        autoStart: true,
        mbufs: 8192,
      });
      expect((await session.portInfo(0)).get('Link status')).toBe('down');
      // The first back-end may leave one-time set-up behind; what it leaves is the measure for all others.
      const watch = new ResourceWatch(session.process);
      for (let visit = 1; visit <= visits; visit += 1) {
        const before = await session.portStats(0);
        const backend = await startBackend(scope, visit, socket, 2);
        await session.waitLink(0, 'up', 10_000);
        await session.waitLinkEvents(0, 2 * visit - 1, 5000);
        const during = await session.waitReceived(0, packets, 10_000, before.rxPackets);
        expect(during.txPackets - before.txPackets, `visit ${visit}: sent`).toBeGreaterThanOrEqual(packets);
        if (visit % 2 === 0) await backend.process.kill();
        else await backend.quit();
        await session.waitLink(0, 'down', 10_000);
        await session.waitLinkEvents(0, 2 * visit, 5000);
        await watch.check(`after visit ${visit}`);
      }
      expect(session.linkEvents(0)).toBe(2 * visits);
      await session.stopForwarding();
      await session.command('port stop 0');
      // Buffers that the last back-end might still be writing into stay away until the next one, or the end of the port.
      await session.command('port close 0');
      await expectWholePool(session);
      await session.quit();
    });
  }

  scenario('the port starts, stops and starts again without a back-end', 60_000, async (scope) => {
    const socket = scope.path('s0');
    const session = await startPollwire(scope, {
      name: 'front-end',
      vdevs: [virtioUser(0, socket, { server: true })],
      forward: 'flowgen',
      mbufs: 8192,
    });
    await session.command('port stop 0');
    const backend = await startBackend(scope, 1, socket, 1);
    // A stopped port negotiates and gives no rings.
    expect((await session.portInfo(0)).get('Link status')).toBe('down');
    await session.command('port start 0');
    await session.waitLink(0, 'up', 10_000);
    await session.startForwarding();
    await session.waitReceived(0, packets, 10_000);
    await session.stopForwarding();
    await session.command('port stop 0');
    await expectWholePool(session);
    // Back to work with the same back-end.
    await session.command('port start 0');
    await session.waitLink(0, 'up', 10_000);
    const { rxPackets } = await session.portStats(0);
    await session.startForwarding();
    await session.waitReceived(0, packets, 10_000, rxPackets);
    await session.stopForwarding();
    await backend.quit();
  });
});
