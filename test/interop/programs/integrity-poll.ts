/**
 * Poll function: sends frames with sequence numbers and CRCs on one port and checks what arrives on another. At most `window`
 * frames are under way, so that rings between the two never overflow and a missing frame is a lost one. Launched by
 * integrity-ends.ts.
 */
import { definePoll } from '@pollwire/ethdev/poll';
import { checkFrameAt, SequenceLog, writeFrame } from '../../harness/integrity.js';

export interface IntegrityOrder {
  /** Port ids. */
  from: number;
  to: number;
  pool: string;
  /** Frames to send. */
  count: number;
  shortest: number;
  longest: number;
  window: number;
  /** Segments of each frame, at least; more where the length needs it. */
  segments: number;
}

export interface IntegrityResult {
  sent: number;
  received: number;
  missing: number;
  duplicates: number;
  outOfOrder: number;
  unexpected: number;
  /** Frames that arrived in more than one segment. */
  chained: number;
  /** `frameFault` value to number of frames. */
  faults: Record<string, number>;
}

/** Layout of the counters. */
export const progress = { sent: 0, arrived: 1 } as const;

export default definePoll<IntegrityOrder, IntegrityResult>((ctx) => {
  const { count, shortest, longest, window, segments } = ctx.data;
  const tx = ctx.port(ctx.data.from).txQueue(0);
  const rx = ctx.port(ctx.data.to).rxQueue(0);
  const pool = ctx.pool(ctx.data.pool);
  const { mbufs, arena } = ctx;
  const counters = ctx.counters(2);
  const outgoing = ctx.burst(32);
  const incoming = ctx.burst(32);
  const scratch = new Uint8Array(65536);
  const log = new SequenceLog(count);
  const faults: Record<string, number> = {};
  let built = 0;
  let sent = 0;
  let arrived = 0;
  let chained = 0;

  /** A fresh packet with frame number `seq`, or 0 when the pool is empty. */
  function build(seq: number): number {
    const length = shortest + ((seq * 37) % (longest - shortest + 1));
    writeFrame(scratch, seq, length);
    const part = Math.ceil(length / segments);
    const head = mbufs.from(pool, scratch.subarray(0, Math.min(part, length)));
    for (let at = part; head !== 0 && at < length; at += part) {
      const next = mbufs.from(pool, scratch.subarray(at, Math.min(at + part, length)));
      if (next === 0 || !mbufs.chain(head, next)) {
        mbufs.free(head);
        if (next !== 0) mbufs.free(next);
        return 0;
      }
    }
    return head;
  }

  function receive(): number {
    const got = rx.burst(incoming);
    for (let i = 0; i < got; i += 1) {
      const handle = incoming.at(i);
      const length = mbufs.pktLen(handle);
      let verdict: number;
      if (mbufs.nbSegs(handle) === 1 && mbufs.isLocal(handle)) {
        verdict = checkFrameAt(arena.u8, mbufs.data(handle), length);
      } else {
        chained += 1;
        mbufs.read(handle, 0, scratch);
        verdict = checkFrameAt(scratch, 0, length);
      }
      if (verdict >= 0) log.add(verdict);
      else faults[verdict] = (faults[verdict] ?? 0) + 1;
    }
    incoming.free();
    arrived += got;
    counters[progress.arrived] = arrived;
    return got;
  }

  function send(): number {
    // What the driver did not take last time goes first.
    if (outgoing.first === outgoing.length) {
      outgoing.clear();
      while (outgoing.length < outgoing.capacity && built < count && built - arrived < window) {
        const handle = build(built);
        if (handle === 0) break;
        outgoing.push(handle);
        built += 1;
      }
    }
    const taken = tx.burst(outgoing, outgoing.length - outgoing.first, outgoing.first);
    sent += taken;
    counters[progress.sent] = sent;
    return taken;
  }

  return {
    poll: () => receive() + send(),
    stop() {
      outgoing.reclaim();
      const { received, missing, duplicates, outOfOrder, unexpected } = log;
      return { sent, received, missing, duplicates, outOfOrder, unexpected, chained, faults };
    },
  };
});
