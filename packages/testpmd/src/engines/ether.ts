/**
 * Rewrites Ethernet addresses in place, the inner loop of mac and macswap: three 32-bit loads and stores where the data allows it, bytes
 * otherwise, a copy and a write-back when the header is not in one piece in the arena. The common case reads the mbuf through the same
 * array of words as the packet, so that optimised code keeps one base and one bound.
 */
import type { Mbufs } from '@pollwire/ethdev';
import type { Arena } from '@pollwire/native';
import { L } from '@pollwire/native';
import { swapBytes } from './bytes.js';

const ADDRESSES = 12;
/** Words of an mbuf, from its start: dataOff is the lower half of one, dataLen of another, flags the top byte of a third. */
const WORD = { DATA_OFF: L.MBUF_DATA_OFF >> 2, DATA_LEN: L.MBUF_DATA_LEN >> 2, FLAGS: L.MBUF_FLAGS >> 2 };
/** Where the buffer begins. */
const BUFFER = L.MBUF_SIZE >> 2;
/** log2 of the words of an mbuf handle's unit, 64 bytes. */
const UNIT = 4;

export class EtherRewriter {
  private readonly mbufs: Mbufs;
  private readonly u8: Uint8Array;
  private readonly i32: Int32Array;
  private readonly scratch = new Uint8Array(ADDRESSES);

  constructor(arena: Arena, mbufs: Mbufs) {
    this.mbufs = mbufs;
    this.u8 = arena.u8;
    this.i32 = arena.i32;
  }

  /** Exchanges destination and source. Packets shorter than both stay as they are. */
  swap(h: number): void {
    const w = this.inPlace(h);
    if (w < 0) {
      this.swapElsewhere(h);
      return;
    }
    // dst 0-5 and src 6-11 lie in three little-endian words; each result word takes halves of two of them.
    const i32 = this.i32;
    const a = i32[w] as number;
    const b = i32[w + 1] as number;
    const c = i32[w + 2] as number;
    i32[w] = (b >>> 16) | (c << 16);
    i32[w + 1] = (c >>> 16) | (a << 16);
    i32[w + 2] = (a >>> 16) | (b << 16);
  }

  /**
   * {@link swap} for handles[0..count). One loop with its operands in locals: optimised code checks the array and its bound once per
   * burst, and sums that are cut to 32 bits need no check at all.
   */
  swapAll(handles: Uint32Array, count: number): void {
    const i32 = this.i32;
    for (let i = 0; i < count; i++) {
      const h = handles[i] as number;
      const mbuf = h << UNIT;
      const offset = (i32[(mbuf + WORD.DATA_OFF) | 0] as number) & 0xffff;
      const length = (i32[(mbuf + WORD.DATA_LEN) | 0] as number) & 0xffff;
      if (length < ADDRESSES || (i32[(mbuf + WORD.FLAGS) | 0] as number) >>> 24 !== 0 || (offset & 3) !== 0) {
        this.swapElsewhere(h);
        continue;
      }
      const w = (mbuf + BUFFER + (offset >>> 2)) | 0;
      const a = i32[w] as number;
      const b = i32[(w + 1) | 0] as number;
      const c = i32[(w + 2) | 0] as number;
      i32[w] = (b >>> 16) | (c << 16);
      i32[(w + 1) | 0] = (c >>> 16) | (a << 16);
      i32[(w + 2) | 0] = (a >>> 16) | (b << 16);
    }
  }

  /** Writes both addresses; `addresses` comes from {@link macWords}. */
  set(h: number, addresses: MacWords): void {
    const w = this.inPlace(h);
    if (w < 0) {
      if (this.mbufs.pktLen(h) >= ADDRESSES) this.mbufs.write(h, 0, addresses.bytes);
      return;
    }
    const i32 = this.i32;
    i32[w] = addresses.a;
    i32[w + 1] = addresses.b;
    i32[w + 2] = addresses.c;
  }

  /** Arena word of the first byte when both addresses lie there, aligned, in the mbuf's own buffer; else -1. */
  private inPlace(h: number): number {
    const i32 = this.i32;
    const mbuf = h << UNIT;
    const offset = (i32[mbuf + WORD.DATA_OFF] as number) & 0xffff;
    const length = (i32[mbuf + WORD.DATA_LEN] as number) & 0xffff;
    if (length < ADDRESSES || (i32[mbuf + WORD.FLAGS] as number) >>> 24 !== 0 || (offset & 3) !== 0)
      return -1;
    return mbuf + (L.MBUF_SIZE >> 2) + (offset >>> 2);
  }

  private swapElsewhere(h: number): void {
    const { mbufs, scratch } = this;
    if (mbufs.pktLen(h) < ADDRESSES) return;
    const p = mbufs.dataLen(h) >= ADDRESSES ? mbufs.data(h) : -1;
    if (p >= 0) {
      swapBytes(this.u8, p, p + 6, 6);
      return;
    }
    mbufs.read(h, 0, scratch);
    swapBytes(scratch, 0, 6, 6);
    mbufs.write(h, 0, scratch);
  }
}

/** Destination and source address, as bytes and as the three words they fill. */
export interface MacWords {
  readonly bytes: Uint8Array;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

export function macWords(destination: Uint8Array, source: Uint8Array): MacWords {
  const bytes = new Uint8Array(ADDRESSES);
  bytes.set(destination, 0);
  bytes.set(source, 6);
  const view = new DataView(bytes.buffer);
  return { bytes, a: view.getInt32(0, true), b: view.getInt32(4, true), c: view.getInt32(8, true) };
}
