/**
 * Makes packets for txonly and flowgen: mbufs from a pool, cut into the configured segments, each starting with a prepared Ethernet, IPv4
 * and UDP header. Payload bytes behind the header are whatever the buffer held, as in DPDK: do not generate towards a peer that must not
 * see other ports' old data.
 */
import type { Burst, Mbufs, MempoolRef } from '@pollwire/ethdev';
import { L, native } from '@pollwire/native';
import { fold, setU16be, setU32be, sumBytes } from './bytes.js';
import type { EngineContext } from './engine.js';

/** Ethernet 14, IPv4 20, UDP 8. */
export const HEADER_BYTES = 42;
/** Offsets of header fields in the frame. */
export const FIELD = { IP: 14, IP_CHECKSUM: 24, IP_DESTINATION: 30, UDP: 34 } as const;
const IP_BYTES = 20;
/** The header and two bytes more, so that it is copied in whole words. */
const HEADER_WORDS = 11;
/** Words from an mbuf's start. dataOff shares its word with refcnt, dataLen with vlanTci. */
const WORD = {
  DATA_OFF: L.MBUF_DATA_OFF >> 2,
  PKT_LEN: L.MBUF_PKT_LEN >> 2,
  DATA_LEN: L.MBUF_DATA_LEN >> 2,
  OL_FLAGS: L.MBUF_OL_FLAGS >> 2,
};
/** Data behind the default headroom, one reference. */
const FRESH = L.MBUF_HEADROOM | (1 << 16);
const DATA = (L.MBUF_SIZE + L.MBUF_HEADROOM) >> 2;

export interface HeaderFields {
  destinationMac: Uint8Array;
  sourceMac: Uint8Array;
  /** Addresses in host order. */
  ipSource: number;
  ipDestination: number;
  udpSource: number;
  udpDestination: number;
  /** Whole frame, bytes. */
  length: number;
}

/** Header bytes (44, the last two 0): TTL 64, no fragments, IPv4 checksum set, UDP checksum 0 = none. */
export function makeHeader(f: HeaderFields): Uint8Array<ArrayBuffer> {
  const u8 = new Uint8Array(HEADER_WORDS * 4);
  u8.set(f.destinationMac, 0);
  u8.set(f.sourceMac, 6);
  setU16be(u8, 12, 0x0800);
  u8[FIELD.IP] = 0x45;
  setU16be(u8, FIELD.IP + 2, f.length - FIELD.IP);
  u8[FIELD.IP + 8] = 64;
  u8[FIELD.IP + 9] = 17;
  setU32be(u8, FIELD.IP + 12, f.ipSource);
  setU32be(u8, FIELD.IP_DESTINATION, f.ipDestination);
  setU16be(u8, FIELD.UDP, f.udpSource);
  setU16be(u8, FIELD.UDP + 2, f.udpDestination);
  setU16be(u8, FIELD.UDP + 4, f.length - FIELD.UDP);
  setIpChecksum(u8);
  return u8;
}

/** Recomputes the IPv4 checksum of a header made above. */
export function setIpChecksum(u8: Uint8Array): void {
  setU16be(u8, FIELD.IP_CHECKSUM, 0);
  setU16be(u8, FIELD.IP_CHECKSUM, ~fold(sumBytes(u8, FIELD.IP, IP_BYTES)) & 0xffff);
}

export class PacketMaker {
  /** The header that {@link write} copies; change fields between packets. */
  readonly header: Uint8Array<ArrayBuffer>;
  private readonly words: Int32Array;
  private readonly headerOnly: Uint8Array;
  private readonly mbufs: Mbufs;
  private readonly i32: Int32Array;
  private readonly pool: MempoolRef;
  private readonly first: number;
  /** Lengths of the segments behind the first. */
  private readonly rest: readonly number[];

  constructor(ctx: EngineContext, fields: Omit<HeaderFields, 'length'>) {
    const { segments } = ctx.settings.traffic;
    this.header = makeHeader({ ...fields, length: segments.reduce((sum, length) => sum + length, 0) });
    this.words = new Int32Array(this.header.buffer);
    this.headerOnly = this.header.subarray(0, HEADER_BYTES);
    this.mbufs = ctx.mbufs;
    this.i32 = ctx.arena.i32;
    this.pool = ctx.pool(ctx.settings.pool);
    this.first = segments[0] as number;
    this.rest = segments.slice(1);
  }

  /** Fills the burst with up to `count` packets without headers; returns how many the pool gave (all, some, none). */
  allocate(burst: Burst, count: number): number {
    const n = this.pool.fill(burst, count);
    const { handles } = burst;
    for (let i = 0; i < n; i++) this.setUp(handles[i] as number, this.first);
    if (this.rest.length === 0) return n;
    for (let i = 0; i < n; i++) {
      if (this.addSegments(handles[i] as number)) continue;
      burst.free(i);
      return i;
    }
    return n;
  }

  /** Copies the header to the front of packet `h`, made by {@link allocate}. */
  write(h: number): void {
    if (this.first < HEADER_BYTES) {
      this.mbufs.write(h, 0, this.headerOnly);
      return;
    }
    // A fresh mbuf's data starts at a multiple of 64 bytes, and its buffer is always longer than these words.
    const at = (h << 4) + DATA;
    const { i32, words } = this;
    // Unrolled: 4 ns instead of 10 for the loop.
    i32[at] = words[0] as number;
    i32[at + 1] = words[1] as number;
    i32[at + 2] = words[2] as number;
    i32[at + 3] = words[3] as number;
    i32[at + 4] = words[4] as number;
    i32[at + 5] = words[5] as number;
    i32[at + 6] = words[6] as number;
    i32[at + 7] = words[7] as number;
    i32[at + 8] = words[8] as number;
    i32[at + 9] = words[9] as number;
    i32[at + 10] = words[10] as number;
  }

  /**
   * {@link write} for the first `count` packets, all with the same header. One loop with its operands in locals, sums cut to 32 bits:
   * see EtherRewriter.swapAll.
   */
  writeAll(handles: Uint32Array, count: number): void {
    if (this.first < HEADER_BYTES) {
      for (let i = 0; i < count; i++) this.write(handles[i] as number);
      return;
    }
    const { i32, words } = this;
    const w0 = words[0] as number;
    const w1 = words[1] as number;
    const w2 = words[2] as number;
    const w3 = words[3] as number;
    const w4 = words[4] as number;
    const w5 = words[5] as number;
    const w6 = words[6] as number;
    const w7 = words[7] as number;
    const w8 = words[8] as number;
    const w9 = words[9] as number;
    const w10 = words[10] as number;
    for (let i = 0; i < count; i++) {
      const at = (((handles[i] as number) << 4) + DATA) | 0;
      i32[at] = w0;
      i32[(at + 1) | 0] = w1;
      i32[(at + 2) | 0] = w2;
      i32[(at + 3) | 0] = w3;
      i32[(at + 4) | 0] = w4;
      i32[(at + 5) | 0] = w5;
      i32[(at + 6) | 0] = w6;
      i32[(at + 7) | 0] = w7;
      i32[(at + 8) | 0] = w8;
      i32[(at + 9) | 0] = w9;
      i32[(at + 10) | 0] = w10;
    }
  }

  /** A fresh mbuf, whose other fields are as its pool keeps them, becomes a packet of one segment. */
  private setUp(h: number, length: number): void {
    const { i32 } = this;
    const mbuf = h << 4;
    i32[(mbuf + WORD.DATA_OFF) | 0] = FRESH;
    i32[(mbuf + WORD.PKT_LEN) | 0] = length;
    i32[(mbuf + WORD.DATA_LEN) | 0] = length;
    i32[(mbuf + WORD.OL_FLAGS) | 0] = 0;
  }

  private addSegments(head: number): boolean {
    for (let i = 0; i < this.rest.length; i++) {
      const h = this.pool.alloc();
      if (h === 0) return false;
      this.setUp(h, this.rest[i] as number);
      if (!native.mbufChain(head, h)) {
        native.mbufFree(h);
        return false;
      }
    }
    return true;
  }
}
