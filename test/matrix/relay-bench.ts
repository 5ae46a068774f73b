/**
 * Content through DPDK: our program has a vhost port and a virtio-user port (listening), and DPDK's testpmd forwards between its
 * virtio-user and its vhost port (connecting). A frame therefore crosses both of DPDK's drivers and both of ours:
 *
 * ```
 * our vhost 0  <==>  DPDK virtio-user 0  -- io --  DPDK vhost 1  <==>  our virtio-user 1
 * ```
 */
import { startDpdk, vhost, virtioUser } from '../harness/dpdk.js';
import type { BenchKind } from './bench.js';
import { expectEqual, expectNegotiated } from './bench.js';
import { mbufSize } from './cells.js';
import { FrameProgram } from './frame-program.js';
import { endsOptions, runInOne } from './own-bench.js';

/** Fewer frames under way than a ring holds, also when a frame takes five buffers. */
const window = 48;

export const relay: BenchKind = {
  name: 'content',
  pairings: ['ours:dpdk', 'dpdk:ours'],
  needsDpdk: true,
  open: async (scope, ring) => {
    const sockets = [scope.path('s0'), scope.path('s1')] as const;
    const { queues } = ring;
    const vdevs = [vhost(0, sockets[0], { queues }), virtioUser(1, sockets[1], { ...ring, server: true })];
    const drivers = ['@pollwire/vhost', '@pollwire/virtio'];
    const program = await FrameProgram.start(scope, 'ours', endsOptions(ring, vdevs, drivers));
    const peer = await startDpdk(scope, {
      name: 'relay',
      vdevs: [virtioUser(0, sockets[0], ring), vhost(1, sockets[1], { queues, client: true })],
      queues,
      forward: 'io',
      mainLcore: 1,
      mbufs: 8192,
      appArgs: [`--mbuf-size=${mbufSize(ring)}`],
    });
    // What a full ring refuses is sent again, not dropped.
    await peer.command('set fwd io retry');
    await peer.command('set burst tx delay 10 retry 100000');
    const [device = '', driver = ''] = await program.links();
    expectNegotiated('our vhost', device, ring);
    expectNegotiated('our virtio', driver, ring);
    // DPDK's virtio driver throws away what reaches it while it starts.
    await peer.startForwarding();
    return {
      run: (cell) => runInOne(program, cell, window),
      finish: async () => {
        const report = await peer.stopForwarding();
        expectEqual('frames dropped by the relay', report.total.txDropped, 0);
        const pool = await program.end();
        expectEqual('mbufs in the pool', pool.free, pool.size);
      },
    };
  },
};
