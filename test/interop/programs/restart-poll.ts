/**
 * Poll function: a stream of checked frames through a peer that goes away and comes back. Frames that the peer took with it are lost
 * and counted; what arrives must be right, and arrive once. Launched by restart-ends.ts.
 */
import { definePoll } from '@pollwire/ethdev/poll';
import { checkFrameAt, SequenceLog, writeFrame } from '../../harness/integrity.js';

export interface RestartOrder {
  port: number;
  pool: string;
}

export interface RestartResult {
  sent: number;
  received: number;
  duplicates: number;
  outOfOrder: number;
  corrupted: number;
  /** Frames of others: what a driver sends of its own accord. */
  foreign: number;
}

export const progress = { arrived: 0 } as const;

/** Frames under way at most, and how long the last of them may take before they count as lost. */
const WINDOW = 64;
const PATIENCE_MS = 20;
const MOST = 1 << 24;
const FOREIGN = -2;

export default definePoll<RestartOrder, RestartResult>((ctx) => {
  const { port: id, pool: name } = ctx.data;
  const rx = ctx.port(id).rxQueue(0);
  const tx = ctx.port(id).txQueue(0);
  const pool = ctx.pool(name);
  const { mbufs, arena } = ctx;
  const counters = ctx.counters(1);
  const burst = ctx.burst(32);
  const scratch = new Uint8Array(2048);
  const log = new SequenceLog(MOST);
  let built = 0;
  let sent = 0;
  let settled = 0;
  let corrupted = 0;
  let foreign = 0;
  let last = 0;

  function receive(): number {
    const got = rx.burst(burst);
    for (let i = 0; i < got; i += 1) {
      const handle = burst.at(i);
      const verdict = checkFrameAt(arena.u8, mbufs.data(handle), mbufs.pktLen(handle));
      if (verdict >= 0) log.add(verdict);
      else if (verdict === FOREIGN) foreign += 1;
      else corrupted += 1;
    }
    burst.free();
    if (got > 0) last = performance.now();
    settled += got;
    counters[progress.arrived] = log.received;
    return got;
  }

  function send(): number {
    if (built - settled >= WINDOW) {
      if (performance.now() - last < PATIENCE_MS) return 0;
      settled = built;
      last = performance.now();
    }
    burst.clear();
    for (let i = 0; i < 16 && built < MOST; i += 1) {
      const length = 60 + ((built * 37) % 1455);
      writeFrame(scratch, built, length);
      const handle = mbufs.from(pool, scratch.subarray(0, length));
      if (handle === 0) break;
      burst.push(handle);
      built += 1;
    }
    const taken = tx.burst(burst, burst.length, 0);
    sent += taken;
    burst.free(taken);
    return taken;
  }

  return {
    poll: () => receive() + send(),
    stop() {
      const { received, duplicates, outOfOrder } = log;
      return { sent, received, duplicates, outOfOrder, corrupted, foreign };
    },
  };
});
