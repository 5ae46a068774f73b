/**
 * This isolate's typed-array views of the arena, and word-sized control accesses. Nearly the only place with raw indexing.
 * Views stay valid for the life of the process; never post one to another thread (posting copies 256 MiB).
 */
import { PollwireError } from './errors.js';
import { native } from './load.js';

/** One set of views per isolate; get it with {@link arena}. */
export class Arena {
  readonly buffer: ArrayBuffer;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly u64: BigUint64Array;
  readonly f64: Float64Array;

  constructor(buffer: ArrayBuffer) {
    this.buffer = buffer;
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u64 = new BigUint64Array(buffer);
    this.f64 = new Float64Array(buffer);
  }

  /** Sequentially consistent read of the control word at byte offset `at` (multiple of 4). */
  load(at: number): number {
    return Atomics.load(this.i32, at >>> 2);
  }

  /** Sequentially consistent write of the control word at byte offset `at`. */
  store(at: number, value: number): void {
    Atomics.store(this.i32, at >>> 2, value);
  }

  /** Sets bits of the control word at `at`; returns what was there. */
  or(at: number, bits: number): number {
    return Atomics.or(this.i32, at >>> 2, bits);
  }

  /** Clears bits of the control word at `at`; returns what was there. */
  clear(at: number, bits: number): number {
    return Atomics.and(this.i32, at >>> 2, ~bits);
  }

  /** Double at byte offset `at` (multiple of 8): counters with a single writer. */
  readF64(at: number): number {
    return this.f64[at >>> 3] as number;
  }

  writeF64(at: number, value: number): void {
    this.f64[at >>> 3] = value;
  }

  /** Unsigned 64-bit counter at byte offset `at` (multiple of 8). */
  readU64(at: number): bigint {
    return this.u64[at >>> 3] as bigint;
  }

  /** View of `count` words from word index `word`; made once, at set-up, never per packet. */
  words(word: number, count: number): Uint32Array {
    return this.u32.subarray(word, word + count);
  }

  /** View of `count` doubles from byte offset `at`. */
  doubles(at: number, count: number): Float64Array {
    return this.f64.subarray(at >>> 3, (at >>> 3) + count);
  }

  /** View of `count` bytes from byte offset `at`. */
  bytes(at: number, count: number): Uint8Array {
    return this.u8.subarray(at, at + count);
  }
}

let mine: Arena | undefined;

/** The arena of this process as this isolate sees it. Throws ARENA_MISSING before it was created (Eal.init does). */
export function arena(): Arena {
  if (mine === undefined) {
    if (native.arenaInfo() === undefined) {
      throw new PollwireError('ARENA_MISSING', 'There is no arena yet; call Eal.init first.');
    }
    mine = new Arena(native.arenaBuffer());
  }
  return mine;
}
