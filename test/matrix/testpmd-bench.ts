/**
 * Counters with testpmd on both sides, DPDK's and ours: one process has the virtio-user port, the other the vhost port. For each cell
 * one side generates (txonly) and the other one counts (rxonly); the sender stops first, and then both must have counted the same.
 */
import { startDpdk, vhost, virtioUser } from '../harness/dpdk.js';
import { startPollwire } from '../harness/pollwire.js';
import type { Scope } from '../harness/scope.js';
import { queuePackets } from '../harness/testpmd-parse.js';
import type { TestpmdSession } from '../harness/testpmd-session.js';
import { waitUntil } from '../harness/wait.js';
import type { Bench, BenchKind, Evidence } from './bench.js';
import { expectEqual, expectNegotiated } from './bench.js';
import type { Cell, Ring } from './cells.js';
import { mbufSize, segmentsOf } from './cells.js';

/** At least; what a sender makes until it is stopped comes on top. */
const packetsPerCell = 5000;

interface Ends {
  virtio: TestpmdSession;
  vhost: TestpmdSession;
}

/** Our virtio-user port in front of DPDK's vhost. */
export const oursToDpdk: BenchKind = {
  name: 'counters',
  pairings: ['ours:dpdk'],
  needsDpdk: true,
  open: (scope, ring) => openPair(scope, ring, startPollwire, startDpdk),
};

/** DPDK's virtio-user port in front of our vhost. */
export const dpdkToOurs: BenchKind = {
  name: 'counters',
  pairings: ['dpdk:ours'],
  needsDpdk: true,
  open: (scope, ring) => openPair(scope, ring, startDpdk, startPollwire),
};

async function openPair(
  scope: Scope,
  ring: Ring,
  startVirtio: typeof startDpdk,
  startVhost: typeof startDpdk,
): Promise<Bench> {
  const socket = scope.path('s0');
  const { queues } = ring;
  const common = {
    queues,
    forward: 'rxonly' as const,
    mbufs: 8192,
    appArgs: [`--mbuf-size=${mbufSize(ring)}`],
  };
  const vhostEnd = await startVhost(scope, {
    ...common,
    name: 'vhost',
    vdevs: [vhost(0, socket, { queues })],
  });
  const virtioEnd = await startVirtio(scope, {
    ...common,
    name: 'virtio',
    vdevs: [virtioUser(0, socket, ring)],
    mainLcore: 1,
  });
  const ours = startVirtio === startPollwire ? virtioEnd : vhostEnd;
  await ours.waitLink(0, 'up', 10_000);
  expectNegotiated(ours.process.name, await ours.command('show port info 0'), ring);
  const ends: Ends = { virtio: virtioEnd, vhost: vhostEnd };
  return {
    run: (cell) => runCell(ends, cell),
    finish: () => finish(ours),
  };
}

async function runCell(ends: Ends, cell: Cell): Promise<Evidence> {
  const [sender, receiver] =
    cell.direction === 'vhost>virtio' ? [ends.vhost, ends.virtio] : [ends.virtio, ends.vhost];
  await receiver.command('set fwd rxonly');
  await sender.command('set fwd txonly');
  await sender.command(`set txpkts ${segmentsOf(cell.size).join(',')}`);
  // Starting empties the receive queues, which counts: first start, then look.
  await receiver.startForwarding();
  const before = { sent: await sender.portStats(0), received: await receiver.portStats(0) };
  const queuesBefore = await receiver.xstats(0);
  await sender.startForwarding();
  await receiver.waitReceived(0, packetsPerCell, 15_000, before.received.rxPackets);
  const forwarded = (await sender.stopForwarding()).ports.get(0)?.txPackets ?? 0;
  const after = await sender.portStats(0);
  const packets = after.txPackets - before.sent.txPackets;
  const bytes = after.txBytes - before.sent.txBytes;
  expectEqual('forwarding and port statistics of the sender', forwarded, packets);
  expectEqual('bytes sent', bytes, packets * cell.size);

  const received = await receiver.waitReceived(0, packets, 5000, before.received.rxPackets);
  expectEqual('packets received', received.rxPackets - before.received.rxPackets, packets);
  expectEqual('bytes received', received.rxBytes - before.received.rxBytes, bytes);
  expectEqual('receive errors', received.rxErrors + received.rxNombuf + received.rxMissed, 0);
  const queuesAfter = await receiver.xstats(0);
  for (let queue = 0; queue < cell.ring.queues; queue += 1) {
    const count = queuePackets(queuesAfter, 'rx', queue) - queuePackets(queuesBefore, 'rx', queue);
    if (count <= 0) throw new Error(`queue ${queue} of ${cell.ring.queues} received nothing`);
  }
  await receiver.stopForwarding();
  return { packets, bytes };
}

/** With our port stopped every mbuf must be back in its pool. */
async function finish(ours: TestpmdSession): Promise<void> {
  await ours.command('port stop 0');
  await waitUntil('every mbuf of our side to be back', 5000, async () => {
    const pool = await ours.poolState();
    return pool.free === pool.size;
  });
}
