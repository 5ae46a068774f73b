/**
 * Poll function: writes frames with sequence numbers and CRCs to the queues of one port, checks those that arrive on the queues of
 * another, or both. Frame n travels on queue n mod queues. Launched by frame-ends.ts.
 */
import { definePoll } from '@pollwire/ethdev/poll';
import { checkFrameAt, SequenceLog, writeFrame } from '../harness/integrity.js';

export interface FrameOrder {
  /** Port id to send on; absent = do not send. */
  send?: number;
  /** Port id to receive on; absent = do not receive. */
  receive?: number;
  /** Frames in all, a multiple of `queues`. */
  count: number;
  queues: number;
  /** Lengths of the segments of each frame. */
  segments: number[];
  /** Most frames under way, where this program does both. */
  window: number;
}

export interface FrameResult {
  sent: number;
  received: number;
  missing: number;
  duplicates: number;
  /** Frames that overtook an earlier one of the same queue. */
  outOfOrder: number;
  /** Frames on another queue than the one they were sent on, or with a number that was never sent. */
  strays: number;
  /** Frames that arrived in more than one segment. */
  chained: number;
  /** `frameFault` value to number of frames. */
  faults: Record<string, number>;
}

/** Layout of the counters. */
export const progress = { sent: 0, arrived: 1 } as const;

export default definePoll<FrameOrder & { pool: string }, FrameResult>((ctx) => {
  const { send, receive, count, queues, segments, window } = ctx.data;
  const { mbufs, arena } = ctx;
  const pool = ctx.pool(ctx.data.pool);
  const numbers = Array.from({ length: queues }, (_, queue) => queue);
  const tx = send === undefined ? [] : numbers.map((queue) => ctx.port(send).txQueue(queue));
  const rx = receive === undefined ? [] : numbers.map((queue) => ctx.port(receive).rxQueue(queue));
  const length = segments.reduce((sum, part) => sum + part, 0);
  const perQueue = count / queues;
  const counters = ctx.counters(2);
  const outgoing = numbers.map(() => ctx.burst(32));
  const incoming = ctx.burst(32);
  const scratch = new Uint8Array(65_536);
  const logs = numbers.map(() => new SequenceLog(perQueue));
  const built = numbers.map(() => 0);
  const faults: Record<string, number> = {};
  const limit = receive === undefined ? Number.POSITIVE_INFINITY : window;
  let waiting = 0;
  let sent = 0;
  let arrived = 0;
  let chained = 0;
  let strays = 0;

  /** A packet with frame number `seq`, or 0 when the pool is empty. */
  function build(seq: number): number {
    writeFrame(scratch, seq, length);
    let head = 0;
    let at = 0;
    for (const part of segments) {
      const next = mbufs.from(pool, scratch.subarray(at, at + part));
      at += part;
      if (next !== 0 && head === 0) head = next;
      else if (next === 0 || !mbufs.chain(head, next)) {
        if (head !== 0) mbufs.free(head);
        if (next !== 0) mbufs.free(next);
        return 0;
      }
    }
    return head;
  }

  function check(handle: number, queue: number): void {
    const bytes = mbufs.pktLen(handle);
    let verdict: number;
    if (mbufs.nbSegs(handle) === 1 && mbufs.isLocal(handle)) {
      verdict = checkFrameAt(arena.u8, mbufs.data(handle), bytes);
    } else {
      chained += 1;
      mbufs.read(handle, 0, scratch);
      verdict = checkFrameAt(scratch, 0, bytes);
    }
    if (verdict < 0) faults[verdict] = (faults[verdict] ?? 0) + 1;
    else if (verdict % queues !== queue || verdict >= count || bytes !== length) strays += 1;
    else logs[queue]?.add((verdict - queue) / queues);
  }

  function receiveAll(): number {
    let total = 0;
    for (const [queue, end] of rx.entries()) {
      const got = end.burst(incoming);
      for (let i = 0; i < got; i += 1) check(incoming.at(i), queue);
      incoming.free();
      total += got;
    }
    arrived += total;
    counters[progress.arrived] = arrived;
    return total;
  }

  function sendAll(): number {
    let total = 0;
    for (const [queue, end] of tx.entries()) {
      const burst = outgoing[queue];
      if (burst === undefined) continue;
      // What the driver did not take last time goes first.
      if (burst.first === burst.length) {
        burst.clear();
        let next = built[queue] as number;
        while (burst.length < burst.capacity && next < perQueue && sent + waiting - arrived < limit) {
          const handle = build(next * queues + queue);
          if (handle === 0) break;
          burst.push(handle);
          waiting += 1;
          next += 1;
        }
        built[queue] = next;
      }
      const taken = end.burst(burst, burst.length - burst.first, burst.first);
      waiting -= taken;
      total += taken;
      sent += taken;
    }
    counters[progress.sent] = sent;
    return total;
  }

  return {
    poll: () => receiveAll() + sendAll(),
    stop() {
      for (const burst of outgoing) burst.reclaim();
      const sum = (pick: (log: SequenceLog) => number) => logs.reduce((total, log) => total + pick(log), 0);
      return {
        sent,
        received: sum((log) => log.received),
        missing: receive === undefined ? 0 : sum((log) => log.missing),
        duplicates: sum((log) => log.duplicates),
        outOfOrder: sum((log) => log.outOfOrder),
        strays: strays + sum((log) => log.unexpected),
        chained,
        faults,
      };
    },
  };
});
