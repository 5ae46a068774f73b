/**
 * Every byte through our vhost ports and a DPDK peer: DPDK's net_pcap replays frames with sequence numbers and CRCs into
 * one virtio-user port, our back-end relays them (`io`) to a second vhost port, and DPDK records what comes out there.
 *
 * ```
 * in.pcap -> net_pcap0 -> virtio_user0 ==> vhost0 -> io -> vhost1 ==> virtio_user1 -> net_pcap1 -> out.pcap
 * ```
 */
import { expect } from 'vitest';
import { interopBackend } from '../harness/backend.js';
import type { VirtioUserOptions } from '../harness/dpdk.js';
import { startDpdk, vhost, virtioUser } from '../harness/dpdk.js';
import { checkFrame, SequenceLog, writeFrame } from '../harness/integrity.js';
import { readPcap, writePcap } from '../harness/pcap-file.js';
import { describePeer, scenario } from '../harness/scenario.js';
import { settled, waitUntil } from '../harness/wait.js';

const backend = interopBackend();

/** Frames whose lengths walk over the whole range, edges included. */
function makeFrames(count: number, shortest: number, longest: number): Uint8Array[] {
  return Array.from({ length: count }, (_, seq) => {
    const length = seq % 50 === 0 ? longest : shortest + ((seq * 37) % (longest - shortest + 1));
    const bytes = new Uint8Array(length);
    writeFrame(bytes, seq, length);
    return bytes;
  });
}

interface RelayCase {
  name: string;
  ring: VirtioUserOptions;
  count: number;
  shortest: number;
  longest: number;
  /** DPDK's mergeable receive takes 32 buffers a turn, not 32 packets: with chains the recording side falls behind. */
  mayDrop?: boolean;
}

const cases: RelayCase[] = [
  { name: '60 to 1514 bytes', ring: {}, count: 30_000, shortest: 60, longest: 1514 },
  {
    name: '60 to 1514 bytes, not mergeable, not in order',
    ring: { mergeable: false, inOrder: false },
    count: 30_000,
    shortest: 60,
    longest: 1514,
  },
  // Chains of up to five buffers on both sides.
  {
    name: '60 to 9000 bytes in several segments',
    ring: {},
    count: 6000,
    shortest: 60,
    longest: 9000,
    mayDrop: true,
  },
];

describePeer(
  ['dpdk', ...backend.needs],
  `integrity through ${backend.kind} vhost and DPDK virtio-user`,
  () => {
    for (const relay of cases) {
      scenario(relay.name, 60_000, async (scope) => {
        const sockets = [scope.path('s0'), scope.path('s1')] as const;
        writePcap(scope.path('in.pcap'), makeFrames(relay.count, relay.shortest, relay.longest));
        const session = await backend.start(scope, {
          name: 'back-end',
          vdevs: sockets.map((socket, index) => vhost(index, socket)),
          forward: 'io',
          autoStart: true,
        });
        const peer = await startDpdk(scope, {
          name: 'front-end',
          vdevs: [
            `net_pcap0,rx_pcap=${scope.path('in.pcap')}`,
            // The small ring first and the large one last bound what is in flight, so that nothing is dropped between.
            virtioUser(0, sockets[0], { queueSize: 64, ...relay.ring }),
            virtioUser(1, sockets[1], { queueSize: 1024, ...relay.ring }),
            `net_pcap1,tx_pcap=${scope.path('out.pcap')}`,
          ],
          forward: 'io',
          mainLcore: 1,
          // By default `start` empties the receive queues first, and with them the file.
          appArgs: ['--no-flush-rx'],
        });
        // What a full ring refuses is sent again, not dropped.
        await peer.command('set fwd io retry');
        await peer.command('set burst tx delay 10 retry 100000');
        await session.waitLink(0, 'up', 10_000);
        await session.waitLink(1, 'up', 10_000);
        await peer.startForwarding();
        await waitUntil('all frames to be sent', 30_000, async () => {
          return (await peer.portStats(1)).txPackets >= relay.count;
        });
        const recorded = (await settled('frames recorded', 20_000, 500, () => peer.portStats(3))).txPackets;
        const report = await peer.stopForwarding();
        expect(report.ports.get(1)?.txPackets).toBe(relay.count);
        expect(report.total.txDropped).toBe(0);
        await peer.quit();

        const log = new SequenceLog(relay.count);
        for (const [position, bytes] of readPcap(scope.path('out.pcap')).entries()) {
          const check = checkFrame(bytes);
          expect(check.reason, `frame ${position} of the output, ${bytes.length} bytes`).toBe('');
          log.add(check.seq);
        }
        const { received, duplicates, outOfOrder, unexpected } = log;
        expect({ received, duplicates, outOfOrder, unexpected }).toEqual({
          received: recorded,
          duplicates: 0,
          outOfOrder: 0,
          unexpected: 0,
        });

        // Each frame was either delivered or counted as dropped by the relay, and enough were delivered.
        const stopped = await session.stopForwarding();
        expect(stopped.ports.get(0)?.rxPackets).toBe(relay.count);
        expect(stopped.ports.get(1)?.txPackets).toBe(recorded);
        expect(stopped.total.txDropped).toBe(log.missing);
        if (relay.mayDrop === true) expect(recorded).toBeGreaterThan(relay.count / 10);
        else expect(log.missing).toBe(0);
        const pool = await session.poolState();
        expect(pool.free).toBe(pool.size);
      });
    }
  },
);
