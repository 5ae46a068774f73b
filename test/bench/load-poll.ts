/**
 * Poll function: sends stamped frames on a port at a steady rate and times those that come back on the same port. A frame bears the
 * time at which it was due, not that at which the ring had room for it, so that a stall of the other side shows in every frame that had to
 * wait. Allocates nothing while it runs. Launched by port-program.ts.
 */
import { definePoll } from '@pollwire/ethdev/poll';
import { L, native } from '@pollwire/native';
import { Histogram } from './histogram.js';

export interface LoadOrder {
  port: number;
  pool: string;
  /** Frame length in bytes, 64 or more. */
  size: number;
  /** Frames per second; 0 = as many as go. */
  rate: number;
  /** Seconds of sending before those that count. */
  warmUp: number;
  seconds: number;
}

export interface LoadResult {
  /** Of the counted seconds. */
  sent: number;
  received: number;
  /** Nanoseconds. */
  p50: number;
  p99: number;
  p999: number;
  max: number;
  /** Frames that were none of ours. */
  foreign: number;
}

/** Layout of the counters: frames of the counted seconds, and whether sending is over. */
export const LOAD = { SENT: 0, RECEIVED: 1, OVER: 2 } as const;

const BURST = 32;
/** Words of the frame: addresses and type, then a mark, then the stamp as a double. */
const HEADER = [0x0000_0002, 0x0002_0200, 0x0100_0000, 0xb588_0100];
const MARK = 0x5077_4c64;
const MARK_WORD = 4;
const STAMP_DOUBLE = 3;

export default definePoll<LoadOrder, LoadResult>((ctx) => {
  const { port, size, rate, warmUp, seconds } = ctx.data;
  const { mbufs, arena } = ctx;
  const { i32, f64 } = arena;
  const pool = ctx.pool(ctx.data.pool);
  const rx = ctx.port(port).rxQueue(0);
  const tx = ctx.port(port).txQueue(0);
  const incoming = ctx.burst(BURST);
  const outgoing = ctx.burst(BURST);
  const counters = ctx.counters(3);
  const histogram = new Histogram();
  const hz = native.tscHz();
  const perNs = hz / 1e9;
  const interval = rate > 0 ? hz / rate : 0;
  let start = 0;
  let from = 0;
  let end = 0;
  let made = 0;
  let foreign = 0;

  function receive(): number {
    const got = rx.burst(incoming);
    if (got === 0) return 0;
    const now = native.tsc();
    let counted = 0;
    for (let i = 0; i < got; i++) {
      const at = mbufs.data(incoming.at(i));
      if (i32[(at >>> 2) + MARK_WORD] !== MARK) {
        foreign += 1;
        continue;
      }
      const stamp = f64[(at >>> 3) + STAMP_DOUBLE] as number;
      if (stamp < from || stamp >= end) continue;
      histogram.record((now - stamp) / perNs);
      counted += 1;
    }
    incoming.free();
    counters[LOAD.RECEIVED] = (counters[LOAD.RECEIVED] as number) + counted;
    return got;
  }

  /** Makes the frames that are due by `now`, at most a burst. */
  function make(now: number): void {
    const due = interval === 0 ? BURST : Math.min(BURST, Math.floor((now - start) / interval) - made);
    if (due <= 0) return;
    const count = pool.fill(outgoing, due);
    let counted = 0;
    for (let i = 0; i < count; i++) {
      const handle = outgoing.at(i);
      mbufs.setDataOff(handle, L.MBUF_HEADROOM);
      mbufs.setLength(handle, size);
      mbufs.setOlFlags(handle, 0);
      const at = mbufs.data(handle);
      for (let word = 0; word < MARK_WORD; word++) i32[(at >>> 2) + word] = HEADER[word] as number;
      i32[(at >>> 2) + MARK_WORD] = MARK;
      const stamp = interval === 0 ? now : start + (made + i + 1) * interval;
      f64[(at >>> 3) + STAMP_DOUBLE] = stamp;
      if (stamp >= from) counted += 1;
    }
    made += count;
    counters[LOAD.SENT] = (counters[LOAD.SENT] as number) + counted;
  }

  function send(now: number): number {
    // What the ring refused goes first; its stamps stay.
    if (outgoing.first === outgoing.length) {
      outgoing.clear();
      make(now);
    }
    const waiting = outgoing.length - outgoing.first;
    return waiting === 0 ? 0 : tx.burst(outgoing, waiting, outgoing.first);
  }

  return {
    poll() {
      const now = native.tsc();
      if (start === 0) {
        start = now;
        from = start + warmUp * hz;
        end = from + seconds * hz;
      }
      const got = receive();
      if (now < end) return got + send(now);
      counters[LOAD.OVER] = 1;
      return got;
    },
    stop() {
      outgoing.reclaim();
      return {
        sent: counters[LOAD.SENT] as number,
        received: histogram.count,
        p50: histogram.quantile(0.5),
        p99: histogram.quantile(0.99),
        p999: histogram.quantile(0.999),
        max: histogram.max,
        foreign,
      };
    },
  };
});
