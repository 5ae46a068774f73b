/**
 * Our virtio-user port in front of our vhost port, in one process or in two: frames with sequence numbers and CRCs, written and
 * checked by the test itself, and the counters of both ports compared.
 */
import { vhost, virtioUser } from '../harness/dpdk.js';
import type { Scope } from '../harness/scope.js';
import type { Bench, BenchKind, Evidence } from './bench.js';
import { expectEqual, expectNegotiated } from './bench.js';
import type { Cell, Ring } from './cells.js';
import { mbufSize, segmentsOf } from './cells.js';
import type { EndsOptions, PortChange, RunResult } from './frame-ends.js';
import type { FrameOrder } from './frame-poll.js';
import { FrameProgram } from './frame-program.js';

/** Enough to go round a ring of 256 several times; fewer where a frame is long. Even, for two queues. */
export function framesFor(size: number): number {
  return size > 2000 ? 1500 : 6000;
}

/** Throws unless each frame arrived once, whole, on its queue and in order. */
export function expectAllFrames(result: RunResult, count: number): void {
  const faults = Object.entries(result.faults).map(([fault, frames]) => `fault ${fault}: ${frames} frames`);
  if (faults.length > 0) throw new Error(faults.join(', '));
  expectEqual('frames received', result.received, count);
  expectEqual('frames missing', result.missing, 0);
  expectEqual('frames twice', result.duplicates, 0);
  expectEqual('frames out of order', result.outOfOrder, 0);
  expectEqual('frames on a wrong queue or never sent', result.strays, 0);
}

/** Throws unless both ports counted `count` frames of `size` bytes and no error. */
export function expectCounted(sender: PortChange, receiver: PortChange, count: number, size: number): void {
  expectEqual('packets counted by the sender', sender.txPackets, count);
  expectEqual('bytes counted by the sender', sender.txBytes, count * size);
  expectEqual('packets counted by the receiver', receiver.rxPackets, count);
  expectEqual('bytes counted by the receiver', receiver.rxBytes, count * size);
  expectEqual('errors', sender.txErrors + receiver.rxErrors, 0);
}

/** What every program of the matrix is started with. */
export function endsOptions(ring: Ring, vdevs: string[], drivers: string[], mainLcore = 0): EndsOptions {
  return { drivers, vdevs, lcores: '0,1', mainLcore, queues: ring.queues, mbufSize: mbufSize(ring) };
}

const drivers = { vhost: '@pollwire/vhost', virtio: '@pollwire/virtio' };

/** Both ports in one process, polled by one lcore. */
export const oneProcess: BenchKind = {
  name: 'frames',
  pairings: ['one process'],
  needsDpdk: false,
  open: async (scope, ring) => {
    const socket = scope.path('s0');
    const vdevs = [vhost(0, socket, { queues: ring.queues }), virtioUser(0, socket, ring)];
    const both = [drivers.vhost, drivers.virtio];
    const program = await FrameProgram.start(scope, 'both', endsOptions(ring, vdevs, both));
    const [device = '', driver = ''] = await program.links();
    expectNegotiated('vhost', device, ring);
    expectNegotiated('virtio', driver, ring);
    return {
      run: (cell) => runInOne(program, cell),
      finish: async () => {
        const pool = await program.end();
        expectEqual('mbufs in the pool', pool.free, pool.size);
      },
    };
  },
};

/** Port 0 and port 1 of one program as sender and receiver of the cell, with whatever lies between. */
export async function runInOne(program: FrameProgram, cell: Cell, window = 1024): Promise<Evidence> {
  const count = framesFor(cell.size);
  const [send, receive] = cell.direction === 'vhost>virtio' ? [0, 1] : [1, 0];
  const order: FrameOrder = {
    send,
    receive,
    count,
    queues: cell.ring.queues,
    segments: segmentsOf(cell.size),
    window,
  };
  const result = await (await program.run(order)).done;
  expectAllFrames(result, count);
  expectCounted(result.ports[send] as PortChange, result.ports[receive] as PortChange, count, cell.size);
  return { packets: count, bytes: count * cell.size };
}

/** Each port in a process of its own. */
export const twoProcesses: BenchKind = {
  name: 'frames',
  pairings: ['two processes'],
  needsDpdk: false,
  open: openTwo,
};

async function openTwo(scope: Scope, ring: Ring): Promise<Bench> {
  const socket = scope.path('s0');
  const vhostEnds = endsOptions(ring, [vhost(0, socket, { queues: ring.queues })], [drivers.vhost]);
  const device = await FrameProgram.start(scope, 'vhost', vhostEnds);
  const virtioEnds = endsOptions(ring, [virtioUser(0, socket, ring)], [drivers.virtio], 1);
  const driver = await FrameProgram.start(scope, 'virtio', virtioEnds);
  expectNegotiated('vhost', (await device.links())[0] ?? '', ring);
  expectNegotiated('virtio', (await driver.links())[0] ?? '', ring);
  return {
    run: async (cell) => {
      const count = framesFor(cell.size);
      const [sender, receiver] = cell.direction === 'vhost>virtio' ? [device, driver] : [driver, device];
      const order = { count, queues: ring.queues, segments: segmentsOf(cell.size), window: 0 };
      const receiving = await receiver.run({ ...order, receive: 0 });
      const sending = await sender.run({ ...order, send: 0 });
      const sent = await sending.done;
      const received = await receiving.done;
      expectEqual('frames sent', sent.sent, count);
      expectAllFrames(received, count);
      expectCounted(sent.ports[0] as PortChange, received.ports[0] as PortChange, count, cell.size);
      return { packets: count, bytes: count * cell.size };
    },
    finish: async () => {
      for (const program of [driver, device]) {
        const pool = await program.end();
        expectEqual('mbufs in the pool', pool.free, pool.size);
      }
    },
  };
}
