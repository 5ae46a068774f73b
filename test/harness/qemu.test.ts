/** The harness proves itself: a Linux guest and the iPXE ROM in front of DPDK's vhost port. */
import { expect } from 'vitest';
import { startDpdk, vhost } from './dpdk.js';
import { startGuest, startIpxe } from './qemu.js';
import { describePeer, scenario } from './scenario.js';

describePeer(['dpdk', 'qemu'], 'harness: QEMU guest against DPDK vhost', () => {
  scenario('a guest pings without loss and its exit status comes back', 90_000, async (scope) => {
    const socket = scope.path('s0');
    const backend = await startDpdk(scope, {
      name: 'back-end',
      vdevs: [vhost(0, socket)],
      forward: 'icmpecho',
      autoStart: true,
    });
    const guest = startGuest(scope, {
      nics: [{ socket }],
      script: `
        net_up eth0 192.168.77.2 || exit 2
        lossless_ping 10 192.168.77.1 || exit 3
        counters eth0
        mark READY; wait_host; echo "host says $LINE"
        exit 7`,
    });
    await guest.waitOutput(/@@READY/, 60_000);
    expect((await backend.portInfo(0)).get('Link status')).toBe('up');
    await guest.send('hello guest');
    expect(await guest.finish(20_000)).toBe(7);
    expect(guest.output()).toContain('10 packets transmitted, 10 packets received, 0% packet loss');
    expect(guest.output()).toContain('host says hello guest');
    // Ten echo replies and the ARP reply.
    expect(guest.counters('eth0').get('rx_packets')).toBeGreaterThanOrEqual(11);
    await backend.waitLink(0, 'down', 10_000);
  });
});

describePeer(['dpdk', 'ipxe'], 'harness: iPXE against DPDK vhost', () => {
  scenario('the option ROM brings the link up and sends frames', 60_000, async (scope) => {
    const socket = scope.path('s0');
    const backend = await startDpdk(scope, {
      name: 'back-end',
      vdevs: [vhost(0, socket)],
      forward: 'rxonly',
      autoStart: true,
    });
    const machine = startIpxe(scope, { nic: { socket } });
    await backend.waitLink(0, 'up', 40_000);
    // A DHCP discover has 300 bytes and more, a router solicitation fewer.
    const stats = await backend.waitReceived(0, 2, 30_000);
    expect(stats.rxBytes).toBeGreaterThan(300);
    await machine.qmp('quit');
    await backend.waitLink(0, 'down', 10_000);
  });
});
