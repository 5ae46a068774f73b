/**
 * Open vSwitch switches frames between two of our virtio-user ports: one listens and the switch connects to it
 * (dpdkvhostuserclient), the other one connects to the switch (dpdkvhostuser). All frames whole, all counters equal.
 */
import { join } from 'node:path';
import { expect } from 'vitest';
import { virtioUser } from '../harness/dpdk.js';
import { describeOvs, OpenVswitch } from '../harness/ovs.js';
import { scenario } from '../harness/scenario.js';
import { settled } from '../harness/wait.js';
import { expectNegotiated } from '../matrix/bench.js';
import type { Cell, Ring } from '../matrix/cells.js';
import { directions, sizes } from '../matrix/cells.js';
import { FrameProgram } from '../matrix/frame-program.js';
import { endsOptions, framesFor, runInOne } from '../matrix/own-bench.js';

/** Open vSwitch 3.1 offers packed rings and in-order; what it does not is left out of the wish. */
const rings: Ring[] = [
  { packed: false, mergeable: true, inOrder: false, queues: 1 },
  { packed: true, mergeable: true, inOrder: true, queues: 1 },
];

/** Layer 3 bytes: room for the longest frame. */
const mtu = 9000;
/** Fewer frames under way than a ring holds, also when a frame takes five buffers. */
const window = 48;

describeOvs('Open vSwitch between two of our virtio-user ports', () => {
  for (const ring of rings) {
    scenario(`${ring.packed ? 'packed' : 'split'} rings`, 120_000, async (scope) => {
      const ovs = await OpenVswitch.start(scope);
      const listening = scope.path('s0');
      ovs.addPort('vu0', mtu, listening);
      ovs.addPort('vu1', mtu);
      const vdevs = [
        virtioUser(0, listening, { ...ring, server: true }),
        virtioUser(1, join(ovs.dir, 'vu1'), ring),
      ];
      const options = endsOptions(ring, vdevs, ['@pollwire/virtio'], 1);
      const program = await FrameProgram.start(scope, 'ours', options);
      const [server = '', client = ''] = await program.links();
      expectNegotiated('server', server, ring);
      expectNegotiated('client', client, ring);

      // `runInOne` sends on port 0 for one direction and on port 1 for the other.
      const ports = { 'vhost>virtio': ['vu0', 'vu1'], 'virtio>vhost': ['vu1', 'vu0'] } as const;
      for (const direction of directions) {
        const [from, to] = ports[direction];
        for (const size of sizes) {
          const cell: Cell = { ring, size, direction };
          const count = framesFor(size);
          const label = `${size} bytes from ${from} to ${to}`;
          const before = { flow: ovs.switchedFrom(from), port: ovs.portStats('vu0') };
          await runInOne(program, cell, window);
          const flow = await settled('counters of the flow', 10_000, 700, async () => ovs.switchedFrom(from));
          expect(flow.packets - before.flow.packets, `${label}: switched`).toBe(count);
          expect(flow.bytes - before.flow.bytes, `${label}: bytes switched`).toBe(count * size);
          const port = ovs.portStats('vu0');
          if (port === undefined || before.port === undefined) throw new Error('vu0 has no counters');
          const [packets, bytes] =
            from === 'vu0'
              ? [port.rxPackets - before.port.rxPackets, port.rxBytes - before.port.rxBytes]
              : [port.txPackets - before.port.txPackets, port.txBytes - before.port.txBytes];
          expect(packets, `${label}: counted at vu0`).toBe(count);
          expect(bytes, `${label}: bytes counted at vu0`).toBe(count * size);
        }
      }
      const pool = await program.end();
      expect(pool.free).toBe(pool.size);
      await ovs.stopSwitch();
    });
  }
});
