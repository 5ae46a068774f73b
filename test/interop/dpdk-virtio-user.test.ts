/**
 * DPDK's virtio-user in front of our vhost port: both directions, one and two queues, 64 to 1518 bytes and frames of several
 * segments. The sender stops first; then both sides must have counted the same packets and bytes.
 * Rows A49, A96, A97 of docs/vhost.md.
 */
import { expect } from 'vitest';
import { interopBackend } from '../harness/backend.js';
import type { VirtioUserOptions } from '../harness/dpdk.js';
import { startDpdk, vhost, virtioUser } from '../harness/dpdk.js';
import { ResourceWatch } from '../harness/resource-watch.js';
import { describePeer, scenario } from '../harness/scenario.js';
import type { Scope } from '../harness/scope.js';
import { queuePackets } from '../harness/testpmd-parse.js';
import type { TestpmdSession } from '../harness/testpmd-session.js';

const backend = interopBackend();

/** `set txpkts` values; the last is a chain of three segments. */
const frameLayouts = ['64', '128', '256', '512', '570', '1024', '1280', '1518', '64,128,1000'];
const packetsPerLayout = 20_000;

interface Ends {
  backend: TestpmdSession;
  frontend: TestpmdSession;
}

async function connect(
  scope: Scope,
  direction: 'to-backend' | 'to-frontend',
  queues: number,
  ring: VirtioUserOptions,
): Promise<Ends> {
  const socket = scope.path('s0');
  const toBackend = direction === 'to-backend';
  const backendSession = await backend.start(scope, {
    name: 'back-end',
    vdevs: [vhost(0, socket, { queues })],
    queues,
    forward: toBackend ? 'rxonly' : 'txonly',
  });
  const frontend = await startDpdk(scope, {
    name: 'front-end',
    vdevs: [virtioUser(0, socket, { queues, ...ring })],
    queues,
    forward: toBackend ? 'txonly' : 'rxonly',
    mainLcore: 1,
  });
  await backendSession.waitLink(0, 'up', 10_000);
  return { backend: backendSession, frontend };
}

/** Sends frames of one layout until enough have arrived, stops, and compares what both ends counted. */
async function compareCounters(
  sender: TestpmdSession,
  receiver: TestpmdSession,
  layout: string,
  queues: number,
): Promise<void> {
  const frameLength = layout.split(',').reduce((sum, part) => sum + Number(part), 0);
  const label = `txpkts ${layout}, ${queues} queue(s)`;
  await sender.command(`set txpkts ${layout}`);
  const before = {
    sent: await sender.portStats(0),
    received: await receiver.portStats(0),
    queues: await receiver.xstats(0),
  };
  await sender.startForwarding();
  await receiver.waitReceived(0, packetsPerLayout, 20_000, before.received.rxPackets);
  const report = (await sender.stopForwarding()).ports.get(0);
  const packets = report?.txPackets ?? 0;
  const sent = await sender.portStats(0);
  expect(sent.txPackets - before.sent.txPackets, `${label}: forward and port statistics`).toBe(packets);
  expect(sent.txBytes - before.sent.txBytes, `${label}: bytes sent`).toBe(packets * frameLength);

  const received = await receiver.waitReceived(0, packets, 5000, before.received.rxPackets);
  expect(received.rxPackets - before.received.rxPackets, `${label}: packets received`).toBe(packets);
  expect(received.rxBytes - before.received.rxBytes, `${label}: bytes received`).toBe(packets * frameLength);
  expect(received.rxErrors + received.rxNombuf + received.rxMissed, `${label}: errors`).toBe(0);

  const xstats = await receiver.xstats(0);
  const perQueue = Array.from(
    { length: queues },
    (_, queue) => queuePackets(xstats, 'rx', queue) - queuePackets(before.queues, 'rx', queue),
  );
  expect(Math.min(...perQueue), `${label}: least used queue`).toBeGreaterThan(packetsPerLayout / 100);
  expect(
    perQueue.reduce((sum, count) => sum + count, 0),
    `${label}: sum of the queues`,
  ).toBe(packets);
}

async function expectWholePool(session: TestpmdSession): Promise<void> {
  const pool = await session.poolState();
  expect(pool.free, `${session.process.name}: free mbufs`).toBe(pool.size);
}

const rings: Array<{ name: string; ring: VirtioUserOptions; queues: number }> = [
  { name: '1 queue', ring: {}, queues: 1 },
  { name: '2 queues', ring: {}, queues: 2 },
  { name: '1 queue, not mergeable, not in order', ring: { mergeable: false, inOrder: false }, queues: 1 },
];

describePeer(['dpdk', ...backend.needs], `DPDK virtio-user against ${backend.kind} vhost`, () => {
  for (const { name, ring, queues } of rings) {
    scenario(`virtio-user txonly to vhost rxonly, ${name}`, 60_000, async (scope) => {
      const ends = await connect(scope, 'to-backend', queues, ring);
      await ends.backend.startForwarding();
      for (const layout of frameLayouts) await compareCounters(ends.frontend, ends.backend, layout, queues);
      await ends.backend.stopForwarding();
      await expectWholePool(ends.backend);
    });

    scenario(`vhost txonly to virtio-user rxonly, ${name}`, 60_000, async (scope) => {
      const ends = await connect(scope, 'to-frontend', queues, ring);
      await ends.frontend.startForwarding();
      for (const layout of frameLayouts) await compareCounters(ends.backend, ends.frontend, layout, queues);
      await expectWholePool(ends.backend);
    });
  }

  scenario(
    'the front-end ends in order: link down, every descriptor and mapping back',
    40_000,
    async (scope) => {
      const socket = scope.path('s0');
      const session = await backend.start(scope, {
        name: 'back-end',
        vdevs: [vhost(0, socket, { queues: 2 })],
        queues: 2,
        forward: 'macswap',
        autoStart: true,
      });
      const watch = new ResourceWatch(session.process);
      for (let round = 0; round < 3; round += 1) {
        const frontend = await startDpdk(scope, {
          name: `front-end-${round}`,
          vdevs: [virtioUser(0, socket, { queues: 2 })],
          queues: 2,
          forward: 'flowgen',
          autoStart: true,
          mainLcore: 1,
        });
        await session.waitLink(0, 'up', 10_000);
        const { rxPackets } = await session.portStats(0);
        await session.waitReceived(0, 1000, 10_000, rxPackets);
        await frontend.quit();
        await session.waitLink(0, 'down', 10_000);
        await session.waitLinkEvents(0, 2 * (round + 1), 5000);
        await watch.check(`after front-end ${round}`);
      }
      expect(session.linkEvents(0)).toBe(6);
      await session.stopForwarding();
      await expectWholePool(session);
    },
  );
});
