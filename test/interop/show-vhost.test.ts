/**
 * testpmd's `show vhost`: why the link is down, before, while and after DPDK's virtio-user is there; as lines and as JSON. Rows A51 and
 * A18.
 */
import type { VhostDescription } from '@pollwire/vhost';
import { expect } from 'vitest';
import { startDpdk, vhost, virtioUser } from '../harness/dpdk.js';
import { startPollwire } from '../harness/pollwire.js';
import { describePeer, scenario } from '../harness/scenario.js';

describePeer(['dpdk'], 'show vhost', () => {
  scenario('A51: tells the first missing condition, rings, memory and messages', 90_000, async (scope) => {
    const socket = scope.path('s0');
    const session = await startPollwire(scope, {
      name: 'back-end',
      vdevs: [vhost(0, socket, { queues: 2 }), 'net_null0'],
      forward: 'rxonly',
      autoStart: true,
    });
    const json = async (): Promise<VhostDescription> => {
      const line = (await session.command('show vhost 0 --json'))
        .split('\n')
        .find((one) => one.startsWith('{'));
      return JSON.parse(line ?? '') as VhostDescription;
    };
    expect(await session.command('show vhost 0')).toMatch(
      /server, listening since .*Z, connections so far: 0\nlink: down: listening at .*; nobody has connected yet\n/,
    );
    expect(await session.command('show vhost 1')).toMatch(/Port 1 \(net_null\) has nothing to show here/);
    expect(await session.command('show vhost 7')).toMatch(/Invalid port 7/);

    const frontend = await startDpdk(scope, {
      name: 'front-end',
      vdevs: [virtioUser(0, socket, { queues: 2 })],
      queues: 2,
      forward: 'txonly',
      autoStart: true,
      mainLcore: 1,
      memoryMiB: 64,
      mbufs: 4096,
    });
    await session.waitLink(0, 'up', 10_000);
    const text = await session.command('show vhost 0');
    expect(text).toMatch(/connected since .*connections so far: 1\nlink: up\ndevice \d+: ready\n/);
    expect(text).toMatch(/features 0x\w+: .*VIRTIO_F_VERSION_1/);
    expect(text).toMatch(/protocol features 0x\w+: MQ REPLY_ACK STATUS/);
    expect(text).toMatch(/status: ACKNOWLEDGE DRIVER DRIVER_OK FEATURES_OK/);
    expect(text).toMatch(/memory: \d+ regions?\n {2}guest 0x\w+ size 0x\w+ user 0x\w+ offset 0x0/);
    expect(text).toMatch(/ring 1: ready\n {2}size 256 desc 0x\w+ avail 0x\w+ used 0x\w+\n {2}last avail \d+/);
    expect(text).toMatch(/in +SET_VRING_ADDR index=\d/);
    const up = await json();
    expect(up.missing).toBeUndefined();
    expect(up.device?.rings).toHaveLength(4);
    expect(up.device?.rings.every(({ started, ready, broken }) => started && ready && broken === '')).toBe(
      true,
    );

    await frontend.process.kill();
    await session.waitLink(0, 'down', 10_000);
    const down = await json();
    expect(down.device).toBeUndefined();
    expect(down.lastEnd?.reason).toMatch(/the peer closed the connection/);
    expect(down.lastEnd?.timeline.join('\n')).toMatch(/SET_VRING_ENABLE/);
    expect(down.missing).toMatch(
      /listening at .* since .*; the last connection ended at .*: the peer closed/,
    );
  });
});
