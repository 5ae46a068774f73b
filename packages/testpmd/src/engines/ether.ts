/**
 * Rewrites Ethernet addresses in place, the inner loop of mac and macswap: three 32-bit loads and stores where the data allows it, bytes
 * otherwise, a copy and a write-back when the header is not in one piece in the arena.
 */
import type { Mbufs } from '@pollwire/ethdev';
import type { Arena } from '@pollwire/native';
import { L } from '@pollwire/native';
import { swapBytes } from './bytes.js';

const ADDRESSES = 12;
const DATA_OFF = L.MBUF_DATA_OFF >> 1;
const DATA_LEN = L.MBUF_DATA_LEN >> 1;

export class EtherRewriter {
  private readonly mbufs: Mbufs;
  private readonly u8: Uint8Array;
  private readonly u16: Uint16Array;
  private readonly i32: Int32Array;
  private readonly scratch = new Uint8Array(ADDRESSES);

  constructor(arena: Arena, mbufs: Mbufs) {
    this.mbufs = mbufs;
    this.u8 = arena.u8;
    this.u16 = arena.u16;
    this.i32 = arena.i32;
  }

  /** Exchanges destination and source. Packets shorter than both stay as they are. */
  swap(h: number): void {
    const p = this.inPlace(h);
    if (p < 0 || (p & 3) !== 0) {
      this.swapElsewhere(h, p);
      return;
    }
    // dst 0-5 and src 6-11 lie in three little-endian words; each result word takes halves of two of them.
    const i32 = this.i32;
    const w = p >>> 2;
    const a = i32[w] as number;
    const b = i32[w + 1] as number;
    const c = i32[w + 2] as number;
    i32[w] = (b >>> 16) | (c << 16);
    i32[w + 1] = (c >>> 16) | (a << 16);
    i32[w + 2] = (a >>> 16) | (b << 16);
  }

  /** Writes both addresses; `addresses` comes from {@link macWords}. */
  set(h: number, addresses: MacWords): void {
    const p = this.inPlace(h);
    if (p < 0 || (p & 3) !== 0) {
      if (this.mbufs.pktLen(h) >= ADDRESSES) this.mbufs.write(h, 0, addresses.bytes);
      return;
    }
    const i32 = this.i32;
    const w = p >>> 2;
    i32[w] = addresses.a;
    i32[w + 1] = addresses.b;
    i32[w + 2] = addresses.c;
  }

  /** Arena index of the first byte when both addresses lie there in the mbuf's own buffer; else -1. */
  private inPlace(h: number): number {
    const half = h << 5;
    if ((this.u16[half + DATA_LEN] as number) < ADDRESSES) return -1;
    if ((this.u8[h * 64 + L.MBUF_FLAGS] as number) !== 0) return -1;
    return h * 64 + L.MBUF_SIZE + (this.u16[half + DATA_OFF] as number);
  }

  private swapElsewhere(h: number, p: number): void {
    if (p >= 0) {
      swapBytes(this.u8, p, p + 6, 6);
      return;
    }
    const { mbufs, scratch } = this;
    if (mbufs.pktLen(h) < ADDRESSES) return;
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
