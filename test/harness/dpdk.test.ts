/** The harness proves itself: DPDK on both sides, no code of ours between them. */
import { expect } from 'vitest';
import { startDpdk, vhost, virtioUser } from './dpdk.js';
import { describePeer, scenario } from './scenario.js';
import { queuePackets } from './testpmd-parse.js';

describePeer('dpdk', 'harness: DPDK virtio-user against DPDK vhost', () => {
  scenario('counters of both sides agree and the pool is whole again', 40_000, async (scope) => {
    const socket = scope.path('s0');
    const backend = await startDpdk(scope, {
      name: 'back-end',
      vdevs: [vhost(0, socket)],
      forward: 'rxonly',
      autoStart: true,
    });
    expect((await backend.portInfo(0)).get('Link status')).toBe('down');
    const frontend = await startDpdk(scope, {
      name: 'front-end',
      vdevs: [virtioUser(0, socket)],
      forward: 'txonly',
      mainLcore: 1,
    });
    await backend.waitLink(0, 'up', 10_000);
    expect(backend.linkEvents(0)).toBe(1);

    await frontend.startForwarding();
    await backend.waitReceived(0, 50_000, 15_000);
    const sent = (await frontend.stopForwarding()).ports.get(0)?.txPackets ?? 0;
    const stats = await backend.waitReceived(0, sent, 5000);
    expect(stats.rxPackets).toBe(sent);
    expect(stats.rxBytes).toBe(sent * 64);
    expect(queuePackets(await backend.xstats(0), 'rx', 0)).toBe(sent);
    expect((await backend.stopForwarding()).total.rxTotal).toBe(sent);

    const pool = await backend.poolState();
    expect(pool).toEqual({ size: 16384, free: 16384 });

    await frontend.process.kill();
    await backend.waitLink(0, 'down', 10_000);
    expect(backend.linkEvents(0)).toBe(2);
    await backend.quit();
    expect(backend.process.alive).toBe(false);
  });

  scenario('an unknown command and an unknown port answer in words', 30_000, async (scope) => {
    const session = await startDpdk(scope, { name: 'testpmd', vdevs: ['net_null0'], forward: 'io' });
    expect(await session.command('show nothing')).toContain('Bad arguments');
    expect(await session.command('show port info 9')).toContain('Invalid port 9');
    // Issued at once, answered in order.
    const [first, second] = await Promise.all([session.portInfo(0), session.command('show port stats 0')]);
    expect(first.get('Driver name')).toBe('net_null');
    expect(second).toContain('NIC statistics for port 0');
  });
});
