/**
 * One's complement sums over packets of any shape: any alignment, odd segments, data outside the arena. Reads four bytes at a time where it
 * can; RFC 1071 lets the byte order be repaired at the end.
 */
import type { Mbufs } from '@pollwire/ethdev';
import type { Arena } from '@pollwire/native';
import { fold, sumBytes } from './bytes.js';

const CHUNK = 256;

const swapped = (sum: number): number => ((sum & 0xff) << 8) | (sum >>> 8);

export class PacketSum {
  private readonly mbufs: Mbufs;
  private readonly u8: Uint8Array;
  private readonly i32: Int32Array;
  private readonly chunk = new Uint8Array(CHUNK);

  constructor(arena: Arena, mbufs: Mbufs) {
    this.mbufs = mbufs;
    this.u8 = arena.u8;
    this.i32 = arena.i32;
  }

  /** Folded sum of `count` packet bytes from `offset`, as big-endian 16-bit words. Bytes behind the packet's end count as 0. */
  sum(h: number, offset: number, count: number): number {
    const { mbufs } = this;
    let segment = h;
    let skip = offset;
    let left = count;
    let done = 0;
    let position = 0;
    let total = 0;
    while (segment !== 0 && left > 0) {
      const length = mbufs.dataLen(segment);
      if (skip >= length) {
        skip -= length;
      } else {
        const n = length - skip < left ? length - skip : left;
        const part = this.segmentSum(h, segment, skip, n, position + skip);
        total += (done & 1) === 0 ? part : swapped(part);
        done += n;
        left -= n;
        skip = 0;
      }
      position += length;
      segment = mbufs.next(segment);
    }
    return fold(total);
  }

  /** Folded sum of `n` bytes, `skip` into a segment that starts `position - skip` into the packet. */
  private segmentSum(h: number, segment: number, skip: number, n: number, position: number): number {
    const p = this.mbufs.data(segment);
    if (p >= 0) return this.localSum(p + skip, n);
    let total = 0;
    for (let at = 0; at < n; at += CHUNK) {
      this.mbufs.read(h, position + at, this.chunk);
      total += fold(sumBytes(this.chunk, 0, n - at < CHUNK ? n - at : CHUNK));
    }
    return fold(total);
  }

  private localSum(p: number, n: number): number {
    if ((p & 3) !== 0 || n < 32) return fold(sumBytes(this.u8, p, n));
    const { i32 } = this;
    const words = n >>> 2;
    const from = p >>> 2;
    let sum = 0;
    for (let i = from; i < from + words; i++) {
      const word = i32[i] as number;
      sum += (word & 0xffff) + (word >>> 16);
    }
    // The words were little-endian; the tail is summed in network order.
    return fold(swapped(fold(sum)) + sumBytes(this.u8, p + words * 4, n & 3));
  }
}
