/**
 * Rings of mbuf handles between lcores: bounded, lock-free, single or multiple producers and consumers. `RingRef` works in every isolate,
 * `Ring` belongs to the main isolate (Eal.createRing).
 */
import { native, PollwireError } from '@pollwire/native';
import type { Burst } from './burst.js';

/** What is needed to name a ring in another isolate; survives structured clone. */
export interface RingView {
  readonly name: string;
  readonly index: number;
  readonly size: number;
}

export interface RingOptions {
  /** Unique, at most 64 characters. */
  name: string;
  /** Most handles it holds, ≥ 1. */
  size: number;
  /** Only one lcore ever enqueues. Default false. */
  singleProducer?: boolean | undefined;
  /** Only one lcore ever dequeues. Default false. */
  singleConsumer?: boolean | undefined;
}

export class RingRef implements RingView {
  readonly name: string;
  readonly index: number;
  readonly size: number;

  constructor(view: RingView) {
    this.name = view.name;
    this.index = view.index;
    this.size = view.size;
  }

  /** Enqueues handles[from..from + n); returns how many the ring took, the rest stays with the caller. */
  enqueue(burst: Burst, n = burst.length, from = 0): number {
    const taken = native.ringEnqueueBurst(this.index, burst.word + from, n);
    burst.first = from + taken;
    return taken;
  }

  /** All or nothing. */
  enqueueBulk(burst: Burst, n = burst.length, from = 0): boolean {
    if (native.ringEnqueueBulk(this.index, burst.word + from, n) === 0) return false;
    burst.first = from + n;
    return true;
  }

  /** Fills the burst with up to `n` handles; returns how many. */
  dequeue(burst: Burst, n = burst.capacity): number {
    const got = native.ringDequeueBurst(this.index, burst.word, Math.min(n, burst.capacity));
    burst.first = 0;
    burst.length = got;
    return got;
  }

  /** Exactly `n` handles or none. */
  dequeueBulk(burst: Burst, n: number): boolean {
    if (n > burst.capacity || native.ringDequeueBulk(this.index, burst.word, n) === 0) return false;
    burst.first = 0;
    burst.length = n;
    return true;
  }

  /** Handles inside, a snapshot. */
  get count(): number {
    return native.ringCount(this.index);
  }
}

export class Ring extends RingRef {
  /** Throws RING_OPTIONS, ARENA_FULL. Use Eal.createRing, which also keeps names unique. */
  static create(options: RingOptions): Ring {
    const { name, size } = options;
    if (!Number.isInteger(size) || size < 1 || size > 1 << 24) {
      throw new PollwireError('RING_OPTIONS', `Ring ${name}: size ${size} is outside 1 to ${1 << 24}.`);
    }
    const flags = (options.singleProducer === true ? 1 : 0) | (options.singleConsumer === true ? 2 : 0);
    return new Ring({ name, index: native.ringCreate(name, size, flags), size });
  }

  /** Frees the mbufs inside, then the ring. Nobody may be using it. */
  destroy(scratch: Burst): void {
    while (this.dequeue(scratch) > 0) scratch.free();
    native.ringDestroy(this.index);
  }
}
