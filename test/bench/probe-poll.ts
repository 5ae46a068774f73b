/**
 * Poll function: sends one stamped frame at a time into a quiet port, with a pause before each, and times its return: what the first packet
 * after idleness waits on the other side. Allocates nothing while it runs. Launched by port-program.ts.
 */
import { definePoll } from '@pollwire/ethdev/poll';
import { L, native } from '@pollwire/native';
import { Histogram } from './histogram.js';

export interface ProbeOrder {
  port: number;
  pool: string;
  /** Frames in all. */
  count: number;
  /** Seconds of silence before each. */
  pause: number;
  /** Seconds after which a frame counts as lost. */
  patience: number;
}

export interface ProbeResult {
  sent: number;
  lost: number;
  /** Nanoseconds. */
  p50: number;
  max: number;
}

/** The counter: frames that have come back or been given up. */
export const PROBE = { SETTLED: 0 } as const;

const LENGTH = 64;

export default definePoll<ProbeOrder, ProbeResult>((ctx) => {
  const { port, count, pause, patience } = ctx.data;
  const { mbufs } = ctx;
  const pool = ctx.pool(ctx.data.pool);
  const rx = ctx.port(port).rxQueue(0);
  const tx = ctx.port(port).txQueue(0);
  const burst = ctx.burst(32);
  const counters = ctx.counters(1);
  const histogram = new Histogram();
  const hz = native.tscHz();
  const bytes = new Uint8Array(LENGTH).fill(2);
  /** When the frame under way was sent; 0 = none is. */
  let sentAt = 0;
  let quietSince = 0;
  let sent = 0;
  let lost = 0;

  function settle(now: number): void {
    sentAt = 0;
    quietSince = now;
    counters[PROBE.SETTLED] = histogram.count + lost;
  }

  return {
    poll() {
      const now = native.tsc();
      if (quietSince === 0) quietSince = now;
      const got = rx.burst(burst);
      burst.free();
      if (sentAt !== 0) {
        if (got > 0) histogram.record(((now - sentAt) / hz) * 1e9);
        else if (now - sentAt > patience * hz) lost += 1;
        else return 0;
        settle(now);
        return got;
      }
      if (sent === count || now - quietSince < pause * hz) return 0;
      if (pool.fill(burst, 1) === 0) return 0;
      const handle = burst.at(0);
      mbufs.setDataOff(handle, L.MBUF_HEADROOM);
      mbufs.setLength(handle, LENGTH);
      mbufs.setOlFlags(handle, 0);
      mbufs.setBytes(handle, 0, bytes);
      sentAt = native.tsc();
      sent += 1;
      if (tx.burst(burst) === 0) {
        burst.free();
        lost += 1;
        settle(now);
      }
      return 1;
    },
    stop: () => ({ sent, lost, p50: histogram.quantile(0.5), max: histogram.max }),
  };
});
