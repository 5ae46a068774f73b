/**
 * Segmentation between our csum engine with `tso set` and DPDK: large TCP frames come from a pcap file through DPDK's port, our engine
 * asks for segments and sends them back, and DPDK records what arrives: whole where the two negotiated it, cut by us where not.
 *
 * ```
 * in.pcap -> net_pcap0 -> DPDK's port ==> our port -> csum, tso set -> our port ==> DPDK's port -> net_pcap0 -> out.pcap
 * ```
 */
import { expect } from 'vitest';
import type { VirtioUserOptions } from '../harness/dpdk.js';
import { startDpdk, vhost, virtioUser } from '../harness/dpdk.js';
import { readPcap, writePcap } from '../harness/pcap-file.js';
import { startPollwire } from '../harness/pollwire.js';
import { describePeer, scenario } from '../harness/scenario.js';
import type { Scope } from '../harness/scope.js';
import { checksumIsOpen, checksumsAreRight, payloadOf, tcpFrame } from '../harness/tcp-frame.js';
import type { TestpmdSession } from '../harness/testpmd-session.js';
import { waitUntil } from '../harness/wait.js';

/** Payload of a segment. */
const size = 1000;
/** Few enough that no ring is ever full, whole or cut. */
const payloads = [100, 1000, 1001, 2500, 8000, 1, 4000, 7999, 3000, 6500];

/** One TCP stream in frames of these sizes, IPv4 and IPv6 in turn. */
function makeFrames(): Uint8Array[] {
  let sequence = 1000;
  return payloads.map((payload, index) => {
    const frame = tcpFrame({ ipv6: index % 2 === 1, payload, sequence });
    sequence += payload;
    return frame;
  });
}

interface Ends {
  /** Ours: csum in a loop. */
  engine: TestpmdSession;
  /** DPDK's, with net_pcap0 and the port that faces ours. */
  peer: TestpmdSession;
}

async function restartPort(session: TestpmdSession, port: number, lines: readonly string[]): Promise<void> {
  for (const line of [`port stop ${port}`, ...lines, `port start ${port}`]) await session.command(line);
}

/** Sends everything through and returns what came back. */
async function exchange(scope: Scope, { engine, peer }: Ends, expected: number): Promise<Uint8Array[]> {
  await engine.waitLink(0, 'up', 10_000);
  await peer.waitLink(1, 'up', 10_000);
  await engine.startForwarding();
  await peer.startForwarding();
  const output = scope.path('out.pcap');
  await waitUntil('all frames to come back', 10_000, async () => {
    const { txPackets } = await peer.portStats(0);
    return txPackets >= expected;
  });
  await peer.stopForwarding();
  await engine.stopForwarding();
  const { txErrors } = await engine.portStats(0);
  expect(txErrors).toBe(0);
  await peer.quit();
  return readPcap(output);
}

const wholeCount = payloads.length;
const cutCount = payloads.reduce((sum, payload) => sum + Math.ceil(payload / size), 0);

function expectStream(frames: readonly Uint8Array[], whole: boolean, complete: boolean): void {
  expect(frames).toHaveLength(whole ? wholeCount : cutCount);
  expect(payloadOf(frames)).toEqual(payloadOf(makeFrames()));
  for (const frame of frames) {
    if (!whole) expect(frame.length).toBeLessThanOrEqual(14 + 60 + size);
    if (complete) expect(checksumsAreRight(frame)).toBe(true);
    else expect(checksumIsOpen(frame) || checksumsAreRight(frame)).toBe(true);
  }
}

const pcap = (scope: Scope) => `net_pcap0,rx_pcap=${scope.path('in.pcap')},tx_pcap=${scope.path('out.pcap')}`;
const loop = ['--port-topology=loop', '--no-flush-rx'];
const rings: [name: string, ring: VirtioUserOptions][] = [
  ['split', {}],
  ['packed', { packed: true }],
];

describePeer('dpdk', 'segmentation with DPDK', () => {
  for (const [format, ring] of rings) {
    for (const whole of [true, false]) {
      const how = whole ? 'left to the other side' : 'done by us';
      scenario(`our virtio-user, DPDK's vhost, ${format} rings: ${how}`, 60_000, async (scope) => {
        writePcap(scope.path('in.pcap'), makeFrames());
        const socket = scope.path('s0');
        const peer = await startDpdk(scope, {
          name: 'peer',
          vdevs: [pcap(scope), `${vhost(1, socket)}${whole ? ',tso=1' : ''}`],
          forward: 'io',
          mainLcore: 1,
          appArgs: ['--no-flush-rx'],
        });
        const engine = await startPollwire(scope, {
          name: 'engine',
          vdevs: [virtioUser(0, socket, ring)],
          forward: 'csum',
          appArgs: loop,
        });
        await restartPort(engine, 0, ['csum set tcp hw 0', `tso set ${size} 0`]);
        const text = await engine.command('show port info 0');
        expect(text.includes('HOST_TSO4')).toBe(whole);
        expect(text).toContain(format === 'packed' ? 'packed' : 'split');
        // DPDK's vhost completes the checksums that we leave open.
        expectStream(await exchange(scope, { engine, peer }, whole ? wholeCount : cutCount), whole, true);
      });

      scenario(`DPDK's virtio-user, our vhost, ${format} rings: ${how}`, 60_000, async (scope) => {
        writePcap(scope.path('in.pcap'), makeFrames());
        const socket = scope.path('s0');
        const engine = await startPollwire(scope, {
          name: 'engine',
          vdevs: [vhost(0, socket)],
          forward: 'csum',
          appArgs: loop,
        });
        await restartPort(engine, 0, [`tso set ${size} 0`]);
        const peer = await startDpdk(scope, {
          name: 'peer',
          vdevs: [pcap(scope), virtioUser(1, socket, ring)],
          forward: 'io',
          mainLcore: 1,
          appArgs: ['--no-flush-rx'],
        });
        if (whole) {
          // DPDK's driver does not ask for GUEST_CSUM with LRO, which needs it (virtio 1.2 §5.1.3.1).
          const offloads = ['tcp_cksum', 'tcp_lro'];
          await restartPort(
            peer,
            1,
            offloads.map((name) => `port config 1 rx_offload ${name} on`),
          );
        }
        // DPDK's driver negotiates again for the other configuration.
        await waitUntil('the features to be negotiated', 10_000, async () => {
          const text = await engine.command('show port info 0');
          return text.includes('Link status: up') && text.includes('GUEST_TSO4') === whole;
        });
        const expected = whole ? wholeCount : cutCount;
        // DPDK records a checksum that we left open as it is.
        expectStream(await exchange(scope, { engine, peer }, expected), whole, !whole);
      });
    }
  }
});
