/** `port attach` and `port detach` of a vhost port while another one forwards, with and without a front-end on it. */
import { existsSync } from 'node:fs';
import { expect } from 'vitest';
import { interopBackend } from '../harness/backend.js';
import { startDpdk, vhost, virtioUser } from '../harness/dpdk.js';
import { ResourceWatch } from '../harness/resource-watch.js';
import { describePeer, scenario } from '../harness/scenario.js';
import type { Scope } from '../harness/scope.js';
import type { TestpmdSession } from '../harness/testpmd-session.js';

const backend = interopBackend();
const rounds = 3;

/** A back-end whose port 0 forwards with a busy front-end. */
async function busyPort(scope: Scope): Promise<TestpmdSession> {
  const session = await backend.start(scope, {
    name: 'back-end',
    vdevs: [vhost(0, scope.path('s0'))],
    forward: 'macswap',
    autoStart: true,
  });
  await startDpdk(scope, {
    name: 'front-end',
    vdevs: [virtioUser(0, scope.path('s0'))],
    forward: 'flowgen',
    autoStart: true,
    mainLcore: 1,
    memoryMiB: 64,
    mbufs: 4096,
  });
  await session.waitLink(0, 'up', 10_000);
  return session;
}

/** Port 0 still moves packets in both directions. */
async function expectForwarding(session: TestpmdSession): Promise<void> {
  const before = await session.portStats(0);
  const after = await session.waitReceived(0, 500, 10_000, before.rxPackets);
  expect(after.txPackets).toBeGreaterThan(before.txPackets);
}

describePeer(['dpdk', ...backend.needs], `hotplug of ${backend.kind} vhost ports`, () => {
  scenario('a port comes and goes without having been started', 40_000, async (scope) => {
    const session = await busyPort(scope);
    const watch = new ResourceWatch(session.process);
    await watch.check('before');
    for (let round = 0; round < rounds; round += 1) {
      expect(await session.command(`port attach ${vhost(1, scope.path('s1'))}`)).toContain(
        'Port 1 is attached. Now total ports is 2',
      );
      await expectForwarding(session);
      const detached = await session.command('port detach 1');
      expect(detached).toContain('Device is detached');
      expect(detached).toContain('Now total ports is 1');
      await expectForwarding(session);
      await watch.check(`after detach ${round}`);
      expect(existsSync(scope.path('s1'))).toBe(false);
    }
    expect(await session.command('port detach 1')).toMatch(/Invalid port/);
    expect(await session.command(`port attach ${vhost(0, scope.path('s9'))}`)).not.toContain('is attached');
    await expectForwarding(session);
  });

  scenario(
    'a started port with a front-end on it goes, and the front-end sees its link go',
    80_000,
    async (scope) => {
      const session = await busyPort(scope);
      const watch = new ResourceWatch(session.process);
      await watch.check('before');
      for (let round = 0; round < rounds; round += 1) {
        await session.command(`port attach ${vhost(1, scope.path('s1'))}`);
        expect(await session.command('port start 1')).toContain('Done');
        const frontend = await startDpdk(scope, {
          name: `front-end-1.${round}`,
          vdevs: [virtioUser(0, scope.path('s1'))],
          forward: 'rxonly',
          mainLcore: 1,
          memoryMiB: 64,
          mbufs: 4096,
        });
        await session.waitLink(1, 'up', 10_000);
        await frontend.waitLink(0, 'up', 10_000);
        await expectForwarding(session);

        const events = frontend.linkEvents(0);
        // A port that joined the forwarding set may be removed from it only while nothing forwards, in DPDK.
        if (!backend.removesPortsWhileForwarding) await session.stopForwarding();
        expect(await session.command('port stop 1')).toContain('Done');
        expect(await session.command('port detach 1')).toContain('Now total ports is 1');
        if (!backend.removesPortsWhileForwarding) await session.startForwarding();

        // Not asked: DPDK 22.11 may hang when its link is queried while it handles the disconnect.
        await frontend.waitLinkEvents(0, events + 1, 10_000);
        await frontend.process.kill();
        await expectForwarding(session);
        expect(existsSync(scope.path('s1'))).toBe(false);
        await watch.check(`after detach ${round}`);
      }
      await session.stopForwarding();
      const pool = await session.poolState();
      // Port 0's front-end is alive, but nothing of it is held between two bursts.
      expect(pool.free).toBe(pool.size);
    },
  );
});
