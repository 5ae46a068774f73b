/**
 * A guest that reboots under traffic, asked (`reboot -f`) and unasked (QMP `system_reset`), and a driver that is unbound:
 * link down, link up, traffic again, and nobody touches the back-end.
 * Row A57 of docs/vhost.md.
 */
import { expect } from 'vitest';
import { interopBackend } from '../harness/backend.js';
import { vhost } from '../harness/dpdk.js';
import { startGuest } from '../harness/qemu.js';
import { ResourceWatch } from '../harness/resource-watch.js';
import { describePeer, scenario } from '../harness/scenario.js';

const backend = interopBackend();

describePeer(['qemu', ...backend.needs], `guest reboot against ${backend.kind} vhost`, () => {
  scenario('three reboots and one driver rebind under traffic', 150_000, async (scope) => {
    const socket = scope.path('s0');
    const session = await backend.start(scope, {
      name: 'back-end',
      vdevs: [vhost(0, socket)],
      forward: 'icmpecho',
      autoStart: true,
    });
    const guest = startGuest(scope, {
      nics: [{ socket }],
      reboot: true,
      script: `
        net_up eth0 192.168.77.2 || exit 2
        lossless_ping 3 192.168.77.1 || exit 3
        # Adaptive pings: each reply triggers the next request, so packets are in flight in both rings all the time.
        for i in 1 2 3; do ping -A -q -s 1400 192.168.77.1 >/dev/null & done
        sleep 1; mark TRAFFIC
        wait_host
        [ "$LINE" = reboot ] && { reboot -f; sleep 60; }
        [ "$LINE" = rebind ] || exit 4
        echo virtio0 >/sys/bus/virtio/drivers/virtio_net/unbind
        sleep 0.5
        echo virtio0 >/sys/bus/virtio/drivers/virtio_net/bind
        net_up eth0 192.168.77.2 && lossless_ping 10 192.168.77.1 || exit 5
        mark REBOUND; wait_host`,
    });
    let position = 0;
    const watch = new ResourceWatch(session.process);
    for (const how of ['reset', 'reboot', 'reset', 'rebind']) {
      const traffic = await guest.waitOutput(/@@TRAFFIC/, 50_000, position);
      position = traffic.index + traffic[0].length;
      expect((await session.portInfo(0)).get('Link status')).toBe('up');
      const { rxPackets } = await session.portStats(0);
      await session.waitReceived(0, 50, 10_000, rxPackets);
      // From the second boot on nothing may grow; the first sets the measure.
      await watch.check(`before ${how}`);
      const events = session.linkEvents(0);
      if (how === 'reset') await guest.qmp('system_reset');
      else await guest.send(how);
      // Down now; the next round finds the link up again.
      await session.waitLinkEvents(0, events + 1, 20_000);
    }
    await guest.waitOutput(/@@REBOUND/, 30_000, position);
    expect(guest.output().match(/@@BOOT/g)).toHaveLength(4);
    // Up, then four times down and up.
    expect(session.linkEvents(0)).toBeGreaterThanOrEqual(9);
    await guest.send('end');
    expect(await guest.finish(15_000)).toBe(0);
    await session.waitLink(0, 'down', 10_000);

    await session.stopForwarding();
    const pool = await session.poolState();
    expect(pool.free).toBe(pool.size);
  });
});
