/**
 * Packet buffer pools. `MempoolRef` is what every isolate can use (allocate by name); `Mempool` belongs to the main isolate, which makes
 * and destroys them (Eal.createPool).
 */
import type { PoolInfo } from '@pollwire/native';
import { L, native, PollwireError } from '@pollwire/native';
import type { Burst } from './burst.js';

/** What is needed to name a pool in another isolate; survives structured clone. */
export interface PoolView {
  readonly name: string;
  readonly index: number;
}

export interface PoolOptions {
  /** Unique, at most 64 characters. */
  name: string;
  /** Number of mbufs, ≥ 1. */
  size: number;
  /** Bytes of buffer per mbuf including the headroom of 128. Default 2176 (2048 + 128), at most 65535. */
  dataRoom?: number | undefined;
  /** mbufs that each lcore may keep for itself, 0 to 512. Default 250. */
  cache?: number | undefined;
}

export const DEFAULT_DATA_ROOM = 2048 + L.MBUF_HEADROOM;
export const DEFAULT_CACHE = 250;

export class MempoolRef implements PoolView {
  readonly name: string;
  /** Number the addon knows it by. */
  readonly index: number;

  constructor(view: PoolView) {
    this.name = view.name;
    this.index = view.index;
  }

  /** One mbuf, or 0 when the pool is empty. */
  alloc(): number {
    return native.mbufAlloc(this.index);
  }

  /** Fills the burst with `count` fresh mbufs, all or nothing; returns count or 0. The burst must hold nothing. */
  fill(burst: Burst, count = burst.capacity): number {
    const got = native.mbufAllocBulk(this.index, burst.word, Math.min(count, burst.capacity));
    burst.first = 0;
    burst.length = got;
    return got;
  }
}

/** A pool as the main isolate sees it. */
export class Mempool extends MempoolRef {
  readonly size: number;
  readonly dataRoom: number;
  readonly cacheSize: number;

  /** Throws POOL_OPTIONS, ARENA_FULL. Use Eal.createPool, which also keeps names unique. */
  static create(options: PoolOptions): Mempool {
    const { name, size, dataRoom = DEFAULT_DATA_ROOM, cache = DEFAULT_CACHE } = options;
    checkRange(name, 'size', size, 1, 1 << 26);
    checkRange(name, 'dataRoom', dataRoom, L.MBUF_HEADROOM + 64, 65_535);
    checkRange(name, 'cache', cache, 0, 512);
    const index = native.poolCreate(name, size, dataRoom, cache);
    return new Mempool({ name, index });
  }

  private constructor(view: PoolView) {
    super(view);
    const info = this.info();
    this.size = info.size;
    this.dataRoom = info.dataRoom;
    this.cacheSize = info.cacheSize;
  }

  info(): PoolInfo {
    return native.poolInfo(this.index);
  }

  /** Free mbufs, caches included. Exact when no lcore is allocating. */
  get free(): number {
    return this.info().free;
  }

  /** mbufs that somebody holds. */
  get inUse(): number {
    return this.size - this.free;
  }

  /** Largest packet that fits one segment behind the headroom, bytes. */
  get segmentRoom(): number {
    return this.dataRoom - L.MBUF_HEADROOM;
  }

  /** Checked addon: one line per mbuf that is out, with owner and allocation site; otherwise []. */
  leaks(): string[] {
    return native.poolLeaks(this.index);
  }

  /** Throws POOL_IN_USE while mbufs are out. */
  destroy(): void {
    native.poolDestroy(this.index);
  }
}

function checkRange(pool: string, what: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new PollwireError('POOL_OPTIONS', `Pool ${pool}: ${what} ${value} is outside ${min} to ${max}.`);
}
