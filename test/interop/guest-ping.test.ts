/**
 * A Linux guest's own virtio-net driver in front of our vhost port: link, pings of all sizes through `icmpecho`, ring
 * options, two queues, IP fragments across two ports. POLLWIRE_INTEROP_BACKEND=dpdk runs the same against DPDK.
 * Rows A27, A28, A29, A36, A103 of docs/vhost.md.
 */
import { expect } from 'vitest';
import { interopBackend } from '../harness/backend.js';
import { vhost } from '../harness/dpdk.js';
import { startGuest, startIpxe } from '../harness/qemu.js';
import type { GuestNic } from '../harness/qemu-args.js';
import { nicMac } from '../harness/qemu-args.js';
import { describePeer, scenario } from '../harness/scenario.js';
import { queuePackets } from '../harness/testpmd-parse.js';

const backend = interopBackend();

interface RingCase {
  name: string;
  nic: Partial<GuestNic>;
  /** Virtio feature bits (virtio 1.2 §5.1.3 and §6) that the guest must have accepted or not. */
  features: Record<number, 0 | 1>;
  /** MTU in the guest for the jumbo pings; none where one buffer of 1.5 KiB is all the driver posts. */
  jumboMtu?: number;
  /** Jumbo pings only when the guest accepted this feature bit, because its buffers depend on it. */
  jumboNeeds?: number;
}

const deviceMtu = 3;
const guestTso4 = 7;
const mrgRxbuf = 15;
const indirectDesc = 28;

const ringCases: RingCase[] = [
  { name: 'default', nic: {}, features: { [mrgRxbuf]: 1, [indirectDesc]: 1 }, jumboMtu: 9100 },
  {
    // Without mergeable buffers the driver posts chains of 64 KiB if the device may send GSO frames, else 1.5 KiB.
    name: 'mrg_rxbuf=off',
    nic: { mrgRxbuf: false },
    features: { [mrgRxbuf]: 0, [indirectDesc]: 1 },
    jumboMtu: 9100,
    jumboNeeds: guestTso4,
  },
  {
    name: 'mrg_rxbuf=off without GSO',
    nic: { mrgRxbuf: false, tso: false },
    features: { [mrgRxbuf]: 0, [guestTso4]: 0 },
  },
  {
    name: 'indirect_desc=off',
    nic: { indirectDesc: false },
    features: { [mrgRxbuf]: 1, [indirectDesc]: 0 },
    jumboMtu: 9100,
  },
  {
    name: 'host_mtu=9000',
    nic: { hostMtu: 9000 },
    features: { [deviceMtu]: 1, [mrgRxbuf]: 1 },
    jumboMtu: 9000,
  },
  {
    // A large MTU makes the driver post chains of several pages, one buffer per frame.
    name: 'host_mtu=9000,mrg_rxbuf=off',
    nic: { hostMtu: 9000, mrgRxbuf: false },
    features: { [deviceMtu]: 1, [mrgRxbuf]: 0, [indirectDesc]: 1 },
    jumboMtu: 9000,
  },
  {
    name: 'host_mtu=9000,mrg_rxbuf=off,indirect_desc=off',
    nic: { hostMtu: 9000, mrgRxbuf: false, indirectDesc: false },
    features: { [deviceMtu]: 1, [mrgRxbuf]: 0, [indirectDesc]: 0 },
    jumboMtu: 9000,
  },
];

/** Shell lines that ping through NIC `index` and print "@@OK index" when all went well. */
function pingScript(index: number, ringCase: RingCase): string {
  const address = `192.168.${10 + index}`;
  const features = Object.entries(ringCase.features).map(
    ([bit, value]) =>
      `[ "$(feature $D ${bit})" = ${value} ] || { echo "feature ${bit} is not ${value}"; return 1; }`,
  );
  const pings = (sizes: number[]) =>
    sizes.map((size) => `lossless_ping 5 -s ${size} ${address}.1 || return 1`);
  const jumbo: string[] = [];
  if (ringCase.jumboNeeds !== undefined)
    jumbo.push(`[ "$(feature $D ${ringCase.jumboNeeds})" = 1 ] || return 0`);
  if (ringCase.jumboMtu !== undefined) {
    jumbo.push(`ip link set $D mtu ${ringCase.jumboMtu} || return 1`);
    jumbo.push(...pings([2000, 4096, 8192]), `mark JUMBO ${index}`);
  }
  return [
    `case_${index}() {`,
    `D=$(nic_by_mac ${nicMac(index)}) || return 1`,
    `net_up $D ${address}.2 1500 || return 1`,
    ...features,
    // 64 bytes of ICMP: the ping everybody types; then up to a full frame.
    ...pings([56, 64, 512, 1472]),
    ...jumbo,
    '}',
    `echo "== ${ringCase.name}"; case_${index} && mark OK ${index}`,
  ].join('\n');
}

describePeer(['qemu', ...backend.needs], `QEMU guest against ${backend.kind} vhost`, () => {
  scenario('pings 64 bytes to 8 KiB without loss under every ring option', 110_000, async (scope) => {
    const socket = (index: number) => scope.path(`s${index}`);
    const session = await backend.start(scope, {
      name: 'back-end',
      vdevs: ringCases.map((_, index) => vhost(index, socket(index))),
      forward: 'icmpecho',
      autoStart: true,
      appArgs: ['--port-topology=loop'],
    });
    for (const index of ringCases.keys()) {
      expect((await session.portInfo(index)).get('Link status')).toBe('down');
    }
    const guest = startGuest(scope, {
      nics: ringCases.map((ringCase, index) => ({ socket: socket(index), ...ringCase.nic })),
      script: [
        ...ringCases.map((ringCase, index) => pingScript(index, ringCase)),
        'mark DONE',
        'wait_host',
      ].join('\n'),
    });
    await guest.waitOutput(/@@DONE/, 90_000);
    for (const [index, ringCase] of ringCases.entries()) {
      expect(guest.output(), ringCase.name).toContain(`@@OK ${index}\n`);
      expect((await session.portInfo(index)).get('Link status')).toBe('up');
      expect(session.text).toContain(`Port ${index}: link state change event`);
      const { rxPackets, txPackets } = await session.portStats(index);
      const jumbo = guest.output().includes(`@@JUMBO ${index}\n`);
      if (ringCase.jumboMtu !== undefined && ringCase.jumboNeeds === undefined) expect(jumbo).toBe(true);
      const pings = jumbo ? 35 : 20;
      expect(rxPackets).toBeGreaterThanOrEqual(pings);
      expect(txPackets).toBeGreaterThanOrEqual(pings);
    }
    await guest.send('end');
    await guest.finish(15_000);
    for (const index of ringCases.keys()) await session.waitLink(index, 'down', 10_000);
    await session.quit();
  });

  scenario(
    'two queue pairs both carry traffic, and one can be switched off and on',
    90_000,
    async (scope) => {
      const socket = scope.path('s0');
      const session = await backend.start(scope, {
        name: 'back-end',
        vdevs: [vhost(0, socket, { queues: 2 })],
        queues: 2,
        forward: 'icmpecho',
        autoStart: true,
      });
      const guest = startGuest(scope, {
        nics: [{ socket, queues: 2 }],
        smp: 2,
        script: `
        net_up eth0 192.168.77.2 || exit 2
        lossless_ping 2 192.168.77.1 || exit 3
        ethtool -L eth0 combined 2 || exit 4
        # The driver maps CPU n to transmit queue n.
        for cpu in 0 1; do
          taskset $((1 << cpu)) ping -i 0.1 -c 20 -W 5 192.168.77.1 | grep transmitted
        done
        mark BOTH; wait_host
        ethtool -L eth0 combined 1 && lossless_ping 5 192.168.77.1 || exit 5
        ethtool -L eth0 combined 2 && lossless_ping 5 192.168.77.1 || exit 6`,
      });
      await guest.waitOutput(/@@BOTH/, 60_000);
      expect(guest.output().match(/20 packets transmitted, 20 packets received/g)).toHaveLength(2);
      const xstats = await session.xstats(0);
      for (const queue of [0, 1]) {
        expect(queuePackets(xstats, 'rx', queue), `rx queue ${queue}`).toBeGreaterThanOrEqual(20);
      }
      expect(queuePackets(xstats, 'tx', 0) + queuePackets(xstats, 'tx', 1)).toBeGreaterThanOrEqual(42);
      await guest.send('go on');
      expect(await guest.finish(30_000)).toBe(0);
      expect(session.text).toContain('Port 0: queue state event');
    },
  );

  scenario('8 KiB as IP fragments at MTU 1500 between two NICs through io', 60_000, async (scope) => {
    const sockets = [scope.path('s0'), scope.path('s1')];
    const session = await backend.start(scope, {
      name: 'back-end',
      vdevs: sockets.map((socket, index) => vhost(index, socket)),
      forward: 'io',
      autoStart: true,
    });
    const guest = startGuest(scope, {
      nics: sockets.map((socket) => ({ socket })),
      script: `
        A=$(nic_by_mac ${nicMac(0)}) B=$(nic_by_mac ${nicMac(1)})
        ip link set $A up && peer $B 192.168.77.1 1500 || exit 2
        net_up $A 192.168.77.2 1500 || exit 3
        for size in 56 1472 1473 2944 8192; do lossless_ping 10 -s $size 192.168.77.1 || exit 4; done`,
    });
    expect(await guest.finish(55_000)).toBe(0);
    // Each 8 KiB ping is six fragments there and six back, and the others one, one, two and two.
    const stats = [await session.portStats(0), await session.portStats(1)];
    for (const { rxPackets, txPackets } of stats) {
      expect(rxPackets).toBeGreaterThanOrEqual(10 * (1 + 1 + 2 + 2 + 6));
      expect(txPackets).toBeGreaterThanOrEqual(10 * (1 + 1 + 2 + 2 + 6));
    }
  });
});

describePeer(
  ['qemu', 'hugepages', ...backend.needs],
  `QEMU guest on hugepages against ${backend.kind} vhost`,
  () => {
    scenario('pings without loss', 60_000, async (scope) => {
      const socket = scope.path('s0');
      await backend.start(scope, {
        name: 'back-end',
        vdevs: [vhost(0, socket)],
        forward: 'icmpecho',
        autoStart: true,
      });
      const guest = startGuest(scope, {
        nics: [{ socket }],
        hugepages: true,
        script: 'net_up eth0 192.168.77.2 && lossless_ping 10 -s 1400 192.168.77.1',
      });
      expect(await guest.finish(55_000)).toBe(0);
    });
  },
);

describePeer(['ipxe', ...backend.needs], `iPXE against ${backend.kind} vhost`, () => {
  scenario(
    'the option ROM brings the link up, sends frames, and a reset brings it up again',
    90_000,
    async (scope) => {
      const socket = scope.path('s0');
      const session = await backend.start(scope, {
        name: 'back-end',
        vdevs: [vhost(0, socket)],
        forward: 'rxonly',
        autoStart: true,
      });
      const machine = startIpxe(scope, { nic: { socket } });
      await session.waitLink(0, 'up', 40_000);
      const before = await session.waitReceived(0, 2, 30_000);
      const events = session.linkEvents(0);
      await machine.qmp('system_reset');
      await session.waitReceived(0, 2, 40_000, before.rxPackets);
      // Down at the reset and up again.
      expect(session.linkEvents(0) - events).toBeGreaterThanOrEqual(2);
      await machine.qmp('quit');
      await session.waitLink(0, 'down', 10_000);
    },
  );
});
