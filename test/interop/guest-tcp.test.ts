/**
 * TCP between two NICs of one Linux guest through two of our vhost ports, bridged by `io` or `csum`: with checksum and segmentation
 * offload, without them on one side, with packed rings and without mergeable buffers. The second NIC lives in a network namespace of its
 * own.
 */
import { expect } from 'vitest';
import { vhost } from '../harness/dpdk.js';
import { startPollwire } from '../harness/pollwire.js';
import { startGuest } from '../harness/qemu.js';
import type { GuestNic } from '../harness/qemu-args.js';
import { nicMac } from '../harness/qemu-args.js';
import { describePeer, scenario } from '../harness/scenario.js';
import type { Scope } from '../harness/scope.js';
import { noteTransfer, TcpContent, tcpMebibytes, tcpTimeout } from '../harness/tcp-content.js';

const csum = 0;
const guestCsum = 1;
const guestTso4 = 7;
const hostTso4 = 11;
const mrgRxbuf = 15;
const ringPacked = 34;

/** Feature bits that the guest's driver must have accepted (1) or not (0). */
type Features = Record<number, 0 | 1>;

const everything: Features = { [csum]: 1, [guestCsum]: 1, [guestTso4]: 1, [hostTso4]: 1 };
const nothing: Features = { [csum]: 0, [guestCsum]: 0, [guestTso4]: 0, [hostTso4]: 0 };

const without: Partial<GuestNic> = { csum: false, guestCsum: false, tso: false };
/** Completes and leaves checksums, but neither sends nor takes packets longer than the MTU. */
const withoutTso: Partial<GuestNic> = { tso: false };

/** A side of the bridge: how QEMU's NIC is made, the devargs of its port, what must have been negotiated. */
interface Side {
  nic?: Partial<GuestNic>;
  devargs?: string;
  features: Features;
}

interface Transfer {
  sides: readonly [Side, Side];
  /** MiB in each direction. */
  mebibytes: number;
  /** Whether TCP packets longer than the MTU cross the bridge; `cut`: the first NIC sends them, and the second gets them in segments. */
  large: boolean | 'cut';
  /** Forward through the csum engine, after these commands to stopped ports; absent = io. */
  csum?: readonly string[];
}

/** Lines that end the script unless the features of DEV are these. */
function featureLines(device: string, features: Features): string {
  return Object.entries(features)
    .map(
      ([bit, value]) =>
        `[ "$(feature ${device} ${bit})" = ${value} ] || { echo "${device}: feature ${bit} is not ${value}"; exit 2; }`,
    )
    .join('\n');
}

/** Both NICs up, the second one as 192.168.77.1 in the other namespace. */
function bridgeLines(sides: readonly [Side, Side]): string {
  return `
    A=$(nic_by_mac ${nicMac(0)}) B=$(nic_by_mac ${nicMac(1)})
    ${featureLines('$A', sides[0].features)}
    ${featureLines('$B', sides[1].features)}
    ip link set $A up && peer $B 192.168.77.1 1500 || exit 3
    net_up $A 192.168.77.2 1500 || exit 4
    lossless_ping 5 192.168.77.1 || exit 5`;
}

/** Each way in turn; what arrived is hashed where it arrives. */
function transferLines(): string {
  return `
    in_peer nc -l -p 5001 -e /take there &
    THERE=$!
    sleep 0.5
    A=$(cut -d' ' -f1 /proc/uptime)
    nc 192.168.77.1 5001 -e /send || exit 6
    wait $THERE
    B=$(cut -d' ' -f1 /proc/uptime)
    mark HASH there $(cat /tmp/there) $A $B
    nc -l -p 5002 -e /take back &
    BACK=$!
    sleep 0.5
    A=$(cut -d' ' -f1 /proc/uptime)
    in_peer nc 192.168.77.2 5002 -e /send || exit 7
    wait $BACK
    B=$(cut -d' ' -f1 /proc/uptime)
    mark HASH back $(cat /tmp/back) $A $B`;
}

async function start(scope: Scope, { sides, csum: commands }: Transfer, content: TcpContent) {
  const sockets = [scope.path('s0'), scope.path('s1')];
  const session = await startPollwire(scope, {
    name: 'back-end',
    vdevs: sockets.map((socket, index) => `${vhost(index, socket)}${sides[index]?.devargs ?? ''}`),
    forward: commands === undefined ? 'io' : 'csum',
    appArgs: ['--idle', 'adaptive', ...[0, 1].map((port) => `--eth-peer=${port},${nicMac(port)}`)],
  });
  if (commands !== undefined) {
    for (const line of ['port stop all', ...commands, 'port start all']) await session.command(line);
  }
  await session.startForwarding();
  const guest = startGuest(scope, {
    nics: sockets.map((socket, index) => ({ socket, ...sides[index]?.nic })),
    memoryMiB: 384,
    script: `${bridgeLines(sides)}\n${transferLines()}`,
    files: content.guestFiles(),
  });
  return { session, guest };
}

async function transfer(scope: Scope, options: Transfer, timeoutMs: number): Promise<void> {
  const { mebibytes, large } = options;
  const content = new TcpContent(mebibytes);
  const { session, guest } = await start(scope, options, content);
  expect(await guest.finish(timeoutMs)).toBe(0);
  for (const way of ['there', 'back']) {
    const [, arrived, from, to] =
      new RegExp(`^@@HASH ${way} (\\w{32}) (\\S+) (\\S+)$`, 'm').exec(guest.output()) ?? [];
    expect(arrived, way).toBe(content.hash);
    noteTransfer(`NIC to NIC, ${way}`, mebibytes, Number(to) - Number(from), content.hash);
  }
  for (const id of [0, 1]) {
    const { rxBytes } = await session.portStats(id);
    expect(rxBytes).toBeGreaterThan(mebibytes << 20);
    const xstats = await session.xstats(id);
    const longer = xstats.get('rx_q0_size_1519_max_packets');
    // How many depends on the guest alone: a sender that is slower than its network sends each write as it comes, in a
    // frame of one segment, and a guest without KVM is often that slow.
    if (large === true || (large === 'cut' && id === 0)) expect(longer, `port ${id}`).toBeGreaterThan(0);
    else expect(longer, `port ${id}`).toBe(0);
    const cut = xstats.get('tx_q0_segmented');
    if (large === 'cut' && id === 1) expect(cut, 'cut by us').toBeGreaterThan(0);
    else expect(cut, `port ${id}`).toBe(0);
    // Nothing was refused, nothing was guessed.
    for (const [name, value] of xstats) {
      if (name.includes('drop')) expect(value, `port ${id} ${name}`).toBe(0);
    }
  }
}

describePeer(['qemu'], 'TCP between two QEMU NICs through our vhost ports', () => {
  const mebibytes = tcpMebibytes(128);
  const most = tcpTimeout(mebibytes);
  scenario(`${mebibytes} MiB each way with checksum and segmentation offload`, most + 10_000, (scope) => {
    const side = { devargs: ',tso=1', features: everything };
    return transfer(scope, { sides: [side, side], mebibytes, large: true }, most);
  });

  scenario('16 MiB each way where one NIC has no offloads and the other checksums', 300_000, (scope) => {
    // Without tso=1 nobody makes packets that the other side could not take; its checksums are completed on the way.
    const sides = [
      { features: { ...everything, [hostTso4]: 0 as const } },
      { nic: without, features: nothing },
    ] as const;
    return transfer(scope, { sides, mebibytes: 16, large: false }, 290_000);
  });

  for (const csum of [undefined, []]) {
    const engine = csum === undefined ? 'io' : 'csum';
    scenario(
      `16 MiB each way through ${engine} where only one NIC has segmentation offload`,
      300_000,
      (scope) => {
        const sides = [
          { devargs: ',tso=1', features: everything },
          { nic: withoutTso, devargs: ',tso=1', features: { ...everything, [guestTso4]: 0, [hostTso4]: 0 } },
        ] as const;
        return transfer(scope, { sides, mebibytes: 16, large: 'cut', ...(csum && { csum }) }, 290_000);
      },
    );
  }

  const leaveToPorts = [0, 1].flatMap((port) => [`csum set tcp hw ${port}`, `tso set 1000 ${port}`]);
  for (const [name, commands] of [
    ['in software', []],
    ['left to the ports, in segments of 1000 bytes', leaveToPorts],
  ] as const) {
    scenario(`16 MiB each way through the csum engine, checksums ${name}`, 300_000, (scope) => {
      const side = { devargs: ',tso=1', features: everything };
      return transfer(scope, { sides: [side, side], mebibytes: 16, large: true, csum: commands }, 290_000);
    });
  }

  const variants: [name: string, nic: Partial<GuestNic>, features: Features][] = [
    ['packed=on', { packed: true }, { ...everything, [ringPacked]: 1 }],
    ['mrg_rxbuf=off', { mrgRxbuf: false }, { ...everything, [mrgRxbuf]: 0 }],
    ['packed=on,mrg_rxbuf=off', { packed: true, mrgRxbuf: false }, { [ringPacked]: 1, [mrgRxbuf]: 0 }],
  ];
  for (const [name, nic, features] of variants) {
    scenario(`16 MiB each way with ${name}`, 300_000, (scope) => {
      const side = { nic, devargs: ',tso=1', features };
      return transfer(scope, { sides: [side, side], mebibytes: 16, large: true }, 290_000);
    });
  }
});
