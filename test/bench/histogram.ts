/**
 * A histogram of durations that allocates nothing once it is made: 64 linear buckets per power of two, as HDR histograms have them, so
 * that a value is known to 1.6 %. Whole nanoseconds, up to a second; what is longer counts as a second. Used by load-poll.ts.
 */

const SUB_BITS = 6;
const SUB = 1 << SUB_BITS;
const LARGEST = 1_000_000_000;
const BUCKETS = bucketOf(LARGEST) + 1;

/** Bucket of a value of 0 to LARGEST: exact below 128, above it by the first seven bits. */
function bucketOf(value: number): number {
  const shift = Math.max(0, 31 - SUB_BITS - Math.clz32(value));
  return shift * SUB + (value >>> shift);
}

/** The largest value that falls into a bucket. */
function upperEdge(bucket: number): number {
  if (bucket < 2 * SUB) return bucket;
  const shift = (bucket >>> SUB_BITS) - 1;
  return (SUB + (bucket & (SUB - 1)) + 1) * 2 ** shift - 1;
}

export class Histogram {
  private readonly counts = new Float64Array(BUCKETS);
  /** Exact. */
  max = 0;
  count = 0;

  /** Counts one duration, nanoseconds; negative ones count as 0. */
  record(nanoseconds: number): void {
    const value = nanoseconds > 0 ? (nanoseconds < LARGEST ? nanoseconds | 0 : LARGEST) : 0;
    const bucket = bucketOf(value);
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
    if (value > this.max) this.max = value;
    this.count += 1;
  }

  /** The duration that `share` (0 to 1) of all stay at or below, nanoseconds; 0 when there is none. */
  quantile(share: number): number {
    const wanted = Math.max(1, Math.ceil(share * this.count));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.counts[bucket] as number;
      if (seen >= wanted) return Math.min(upperEdge(bucket), this.max);
    }
    return this.max;
  }
}
