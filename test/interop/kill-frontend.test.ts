/**
 * kill -9 of the front-end, fifty times, while packets flow both ways: each time the link goes down and up again, nobody
 * touches the back-end, and at the end it holds no descriptor, mapping or mbuf of the dead.
 * Rows A32, A37, A43, A102 of docs/vhost.md.
 */
import { expect } from 'vitest';
import { interopBackend } from '../harness/backend.js';
import { startDpdk, vhost, virtioUser } from '../harness/dpdk.js';
import { ResourceWatch } from '../harness/resource-watch.js';
import { describePeer, scenario } from '../harness/scenario.js';

const backend = interopBackend();
const kills = 50;

describePeer(['dpdk', ...backend.needs], `kill -9 of the front-end against ${backend.kind} vhost`, () => {
  scenario(`${kills} times under traffic, one and two queues in turn`, 150_000, async (scope) => {
    const socket = scope.path('s0');
    const session = await backend.start(scope, {
      name: 'back-end',
      vdevs: [vhost(0, socket, { queues: 2 })],
      queues: 2,
      forward: 'macswap',
      autoStart: true,
    });
    // The first front-end may leave one-time set-up behind; what it leaves is the measure for all others.
    const watch = new ResourceWatch(session.process);
    let rssAfterTen = 0;
    for (let round = 1; round <= kills; round += 1) {
      const queues = 1 + (round % 2);
      const frontend = await startDpdk(scope, {
        name: `front-end-${round}`,
        vdevs: [virtioUser(0, socket, { queues })],
        queues,
        // Sends and receives: packets are in flight in both directions when the end comes.
        forward: 'flowgen',
        autoStart: true,
        mainLcore: 1,
        memoryMiB: 64,
        mbufs: 4096,
      });
      await session.waitLink(0, 'up', 10_000);
      await session.waitLinkEvents(0, 2 * round - 1, 5000);
      // Every fifth is killed at once, in the middle of ring set-up or just after it.
      if (round % 5 !== 0) {
        const { rxPackets } = await session.portStats(0);
        await session.waitReceived(0, 1000, 10_000, rxPackets);
      }
      await frontend.process.kill();
      await session.waitLink(0, 'down', 10_000);
      await session.waitLinkEvents(0, 2 * round, 5000);
      await watch.check(`after kill ${round}`);
      if (round === 10) rssAfterTen = session.process.rssKiB();
    }
    expect(session.linkEvents(0)).toBe(2 * kills);
    // Forwarding was never stopped, so the lcore still polls: its statistics are those of one run.
    const report = await session.stopForwarding();
    expect(report.total.rxPackets).toBeGreaterThan(1000 * ((kills * 4) / 5));
    const pool = await session.poolState();
    expect(pool.free).toBe(pool.size);
    // Pool pages that were never touched before may still come in; a leak of one front-end's memory would be 64 MiB each.
    expect(session.process.rssKiB() - rssAfterTen).toBeLessThan(40 * 1024);
    await session.quit();
  });
});
