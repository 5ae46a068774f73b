/**
 * mbuf accessors by handle: one object per isolate, one method per field, no allocation. Field offsets come from the generated layout.
 * Payload accessors (u8, u16be, swapMacs, …) are for data that lies in the arena, `isLocal(h)`; `read` and `write` work on any mbuf and
 * across segments.
 *
 * A handle is trusted like a pointer: a wrong one reads or writes foreign bytes of the arena, and nothing outside it.
 */
import type { Arena } from '@pollwire/native';
import { arena, L, native, PollwireError } from '@pollwire/native';
import type { MempoolRef } from './mempool.js';

// Word indices inside the header (64 bytes = 16 u32 = 32 u16).
const DATA_OFF = L.MBUF_DATA_OFF >> 1;
const REFCNT = L.MBUF_REFCNT >> 1;
const NB_SEGS = L.MBUF_NB_SEGS >> 1;
const PORT = L.MBUF_PORT >> 1;
const PKT_LEN = L.MBUF_PKT_LEN >> 2;
const DATA_LEN = L.MBUF_DATA_LEN >> 1;
const VLAN_TCI = L.MBUF_VLAN_TCI >> 1;
const VLAN_TCI_OUTER = L.MBUF_VLAN_TCI_OUTER >> 1;
const NEXT = L.MBUF_NEXT >> 2;
const OL_FLAGS = L.MBUF_OL_FLAGS >> 2;
const PACKET_TYPE = L.MBUF_PACKET_TYPE >> 2;
const HASH_RSS = L.MBUF_HASH_RSS >> 2;
const L3_LEN = L.MBUF_L3_LEN >> 1;
const TSO_SEGSZ = L.MBUF_TSO_SEGSZ >> 1;
const BUF_LEN = L.MBUF_BUF_LEN >> 1;
const EXT = L.MBUF_EXT >> 2;
const USER = L.MBUF_TIMESTAMP >> 2;
// The flags byte as the upper half of a 16-bit word: an index without a multiplication.
const FLAGS = L.MBUF_FLAGS >> 1;
const FLAGS_SHIFT = (L.MBUF_FLAGS & 1) * 8;

export class Mbufs {
  private readonly u8s: Uint8Array;
  private readonly u16s: Uint16Array;
  private readonly u32s: Uint32Array;

  constructor(views: Arena = arena()) {
    this.u8s = views.u8;
    this.u16s = views.u16;
    this.u32s = views.u32;
  }

  // Header fields.

  /** Offset of the first data byte in the buffer = headroom, bytes. */
  dataOff(h: number): number {
    return this.u16s[(h << 5) + DATA_OFF] as number;
  }

  setDataOff(h: number, value: number): void {
    this.u16s[(h << 5) + DATA_OFF] = value;
  }

  refcnt(h: number): number {
    return this.u16s[(h << 5) + REFCNT] as number;
  }

  nbSegs(h: number): number {
    return this.u16s[(h << 5) + NB_SEGS] as number;
  }

  /** Port that received it; 65535 = none. */
  port(h: number): number {
    return this.u16s[(h << 5) + PORT] as number;
  }

  setPort(h: number, value: number): void {
    this.u16s[(h << 5) + PORT] = value;
  }

  /** Length of the whole packet, all segments, bytes. Valid in the first segment. */
  pktLen(h: number): number {
    return this.u32s[(h << 4) + PKT_LEN] as number;
  }

  setPktLen(h: number, value: number): void {
    this.u32s[(h << 4) + PKT_LEN] = value;
  }

  /** Bytes of data in this segment. */
  dataLen(h: number): number {
    return this.u16s[(h << 5) + DATA_LEN] as number;
  }

  setDataLen(h: number, value: number): void {
    this.u16s[(h << 5) + DATA_LEN] = value;
  }

  /** Sets both lengths of a single-segment packet. */
  setLength(h: number, bytes: number): void {
    this.u32s[(h << 4) + PKT_LEN] = bytes;
    this.u16s[(h << 5) + DATA_LEN] = bytes;
  }

  vlanTci(h: number): number {
    return this.u16s[(h << 5) + VLAN_TCI] as number;
  }

  setVlanTci(h: number, value: number): void {
    this.u16s[(h << 5) + VLAN_TCI] = value;
  }

  vlanTciOuter(h: number): number {
    return this.u16s[(h << 5) + VLAN_TCI_OUTER] as number;
  }

  setVlanTciOuter(h: number, value: number): void {
    this.u16s[(h << 5) + VLAN_TCI_OUTER] = value;
  }

  /** Handle of the next segment, 0 = last. */
  next(h: number): number {
    return this.u32s[(h << 4) + NEXT] as number;
  }

  /** Bits L.OL_RX_* and L.OL_TX_*. */
  olFlags(h: number): number {
    return this.u32s[(h << 4) + OL_FLAGS] as number;
  }

  setOlFlags(h: number, value: number): void {
    this.u32s[(h << 4) + OL_FLAGS] = value;
  }

  packetType(h: number): number {
    return this.u32s[(h << 4) + PACKET_TYPE] as number;
  }

  setPacketType(h: number, value: number): void {
    this.u32s[(h << 4) + PACKET_TYPE] = value;
  }

  hashRss(h: number): number {
    return this.u32s[(h << 4) + HASH_RSS] as number;
  }

  setHashRss(h: number, value: number): void {
    this.u32s[(h << 4) + HASH_RSS] = value;
  }

  /** Header lengths for tx offloads, bytes. */
  l2Len(h: number): number {
    return this.u8s[h * 64 + L.MBUF_L2_LEN] as number;
  }

  l3Len(h: number): number {
    return this.u16s[(h << 5) + L3_LEN] as number;
  }

  l4Len(h: number): number {
    return this.u8s[h * 64 + L.MBUF_L4_LEN] as number;
  }

  setHeaderLengths(h: number, l2: number, l3: number, l4 = 0): void {
    this.u8s[h * 64 + L.MBUF_L2_LEN] = l2;
    this.u8s[h * 64 + L.MBUF_L4_LEN] = l4;
    this.u16s[(h << 5) + L3_LEN] = l3;
  }

  /** Segment size for TCP or UDP segmentation, bytes of payload. */
  tsoSegsz(h: number): number {
    return this.u16s[(h << 5) + TSO_SEGSZ] as number;
  }

  setTsoSegsz(h: number, value: number): void {
    this.u16s[(h << 5) + TSO_SEGSZ] = value;
  }

  /** Buffer size behind the header: headroom + data room. */
  bufLen(h: number): number {
    return this.u16s[(h << 5) + BUF_LEN] as number;
  }

  /** Number of its pool. */
  pool(h: number): number {
    return this.u8s[h * 64 + L.MBUF_POOL] as number;
  }

  /** L.FLAG_CLONE, L.FLAG_EXTERNAL. */
  flags(h: number): number {
    return ((this.u16s[(h << 5) + FLAGS] as number) >>> FLAGS_SHIFT) & 0xff;
  }

  /** Lower half of the time stamp / user word. */
  user(h: number): number {
    return this.u32s[(h << 4) + USER] as number;
  }

  setUser(h: number, value: number): void {
    this.u32s[(h << 4) + USER] = value;
  }

  headroom(h: number): number {
    return this.dataOff(h);
  }

  tailroom(h: number): number {
    const room = this.bufLen(h) - this.dataOff(h) - this.dataLen(h);
    return Math.max(room, 0);
  }

  // Where the data is.

  /** True when the data of this segment lies in the arena, so that the payload accessors below work. */
  isLocal(h: number): boolean {
    return this.dataOwner(h) !== 0;
  }

  /** Byte index of the first data byte in the arena's u8 view; -1 when the data is elsewhere. */
  data(h: number): number {
    // The usual case first and in integer arithmetic: it runs for every access.
    if (this.flags(h) === 0) {
      return ((h << 6) >>> 0) + L.MBUF_SIZE + (this.u16s[(h << 5) + DATA_OFF] as number);
    }
    const owner = this.dataOwner(h);
    return owner === 0 ? -1 : owner * 64 + L.MBUF_SIZE + (this.u16s[(h << 5) + DATA_OFF] as number);
  }

  /** The mbuf whose own buffer holds the data: itself, what it is a clone of, or 0 for data outside the arena. */
  private dataOwner(h: number): number {
    const flags = this.flags(h);
    if (flags === 0) return h;
    if ((flags & L.FLAG_EXTERNAL) !== 0) return 0;
    const owner = this.u32s[(h << 4) + EXT] as number;
    return (this.flags(owner) & L.FLAG_EXTERNAL) === 0 ? owner : 0;
  }

  // Payload of the first segment, `off` bytes from its start. No bounds checks: compare with dataLen(h) first.

  u8(h: number, off: number): number {
    return this.u8s[this.data(h) + off] as number;
  }

  setU8(h: number, off: number, value: number): void {
    this.u8s[this.data(h) + off] = value;
  }

  /** Big-endian (network order) 16 bits. */
  u16be(h: number, off: number): number {
    const p = this.data(h) + off;
    return ((this.u8s[p] as number) << 8) | (this.u8s[p + 1] as number);
  }

  setU16be(h: number, off: number, value: number): void {
    const p = this.data(h) + off;
    this.u8s[p] = value >>> 8;
    this.u8s[p + 1] = value;
  }

  /** Big-endian (network order) 32 bits, unsigned. */
  u32be(h: number, off: number): number {
    const p = this.data(h) + off;
    const u8s = this.u8s;
    return (
      (((u8s[p] as number) << 24) |
        ((u8s[p + 1] as number) << 16) |
        ((u8s[p + 2] as number) << 8) |
        (u8s[p + 3] as number)) >>>
      0
    );
  }

  setU32be(h: number, off: number, value: number): void {
    const p = this.data(h) + off;
    const u8s = this.u8s;
    u8s[p] = value >>> 24;
    u8s[p + 1] = value >>> 16;
    u8s[p + 2] = value >>> 8;
    u8s[p + 3] = value;
  }

  /** Exchanges source and destination address of an Ethernet header (bytes 0-5 and 6-11). */
  swapMacs(h: number): void {
    const off = this.u16s[(h << 5) + DATA_OFF] as number;
    if ((this.flags(h) | (off & 3)) !== 0) {
      this.swap(h, 0, 6, 6);
      return;
    }
    // Twelve bytes as three words; 16-bit halves change places.
    const u32s = this.u32s;
    const w = (h << 4) + (L.MBUF_SIZE >> 2) + (off >>> 2);
    const a = u32s[w] as number;
    const b = u32s[w + 1] as number;
    const c = u32s[w + 2] as number;
    u32s[w] = (b >>> 16) | (c << 16);
    u32s[w + 1] = (c >>> 16) | (a << 16);
    u32s[w + 2] = (a >>> 16) | (b << 16);
  }

  /** Exchanges `count` bytes at `off` with those at `other` (IPv4 addresses: 26 and 30, 4 bytes). */
  swap(h: number, off: number, other: number, count: number): void {
    const p = this.data(h) + off;
    const q = this.data(h) + other;
    const u8s = this.u8s;
    for (let i = 0; i < count; i++) {
      const byte = u8s[p + i] as number;
      u8s[p + i] = u8s[q + i] as number;
      u8s[q + i] = byte;
    }
  }

  /** Copies bytes (a MAC address, a prepared header) to `off`. For a handful of bytes; larger sources: {@link write}. */
  setBytes(h: number, off: number, source: Uint8Array): void {
    const p = this.data(h) + off;
    const u8s = this.u8s;
    for (let i = 0; i < source.length; i++) u8s[p + i] = source[i] as number;
  }

  /** Writes destination and source address, six bytes each. */
  setMacs(h: number, destination: Uint8Array, source: Uint8Array): void {
    this.setBytes(h, 0, destination);
    this.setBytes(h, 6, source);
  }

  /**
   * View of `length` payload bytes from `off`. Allocates (about 40 ns): for slow paths and tests. Throws MBUF_NOT_LOCAL.
   */
  view(h: number, off = 0, length = this.dataLen(h) - off): Uint8Array {
    const p = this.data(h);
    if (p < 0)
      throw new PollwireError('MBUF_NOT_LOCAL', 'The data of this mbuf is outside the arena; use read().');
    return this.u8s.subarray(p + off, p + off + length);
  }

  // Whole packets, any kind of mbuf, across segments.

  /** Copies packet bytes from `off` into `target`; returns how many (less at the packet's end). */
  read(h: number, off: number, target: Uint8Array): number {
    return native.mbufRead(h, off, target);
  }

  /** Overwrites packet bytes from `off`; returns how many. */
  write(h: number, off: number, source: Uint8Array): number {
    return native.mbufWrite(h, off, source);
  }

  /** Adds bytes at the end, with further segments from the same pool when needed; all or nothing (false: pool empty). */
  append(h: number, source: Uint8Array): boolean {
    return native.mbufAppend(h, source) === source.length;
  }

  /** A new packet with these bytes; 0 when the pool is empty. */
  from(pool: MempoolRef, bytes: Uint8Array): number {
    const h = native.mbufAlloc(pool.index);
    if (h === 0 || this.append(h, bytes)) return h;
    native.mbufFree(h);
    return 0;
  }

  /** Copy of the whole packet. Allocates: for slow paths and tests. */
  toBytes(h: number): Uint8Array {
    const bytes = new Uint8Array(this.pktLen(h));
    native.mbufRead(h, 0, bytes);
    return bytes;
  }

  free(h: number): void {
    native.mbufFree(h);
  }

  /** Deep copy into mbufs of `pool`; 0 when it is empty. */
  copy(h: number, pool: MempoolRef): number {
    return native.mbufCopy(h, pool.index);
  }

  /** A second packet over the same data (read-only by convention); 0 when `pool` is empty. */
  clone(h: number, pool: MempoolRef): number {
    return native.mbufClone(h, pool.index);
  }

  /** Puts all data into the first segment; false when it does not fit. */
  linearize(h: number): boolean {
    return native.mbufLinearize(h);
  }

  /** Appends packet `tail` as further segments; false when there would be too many. */
  chain(head: number, tail: number): boolean {
    return native.mbufChain(head, tail);
  }

  /** Takes `bytes` from the headroom into the packet; returns the new first byte's arena index, -1 when there is no room. */
  prepend(h: number, bytes: number): number {
    const off = this.dataOff(h);
    const length = this.dataLen(h) + bytes;
    if (bytes > off || length > 0xffff || this.flags(h) !== 0) return -1;
    this.setDataOff(h, off - bytes);
    this.setDataLen(h, length);
    this.setPktLen(h, this.pktLen(h) + bytes);
    return this.data(h);
  }

  /** Removes `bytes` at the start of the first segment; false when it is shorter. */
  adj(h: number, bytes: number): boolean {
    const length = this.dataLen(h);
    if (bytes > length) return false;
    this.setDataOff(h, this.dataOff(h) + bytes);
    this.setDataLen(h, length - bytes);
    this.setPktLen(h, this.pktLen(h) - bytes);
    return true;
  }

  /** Removes `bytes` at the end of the last segment; false when it is shorter. */
  trim(h: number, bytes: number): boolean {
    let last = h;
    for (let next = this.next(h); next !== 0; next = this.next(last)) last = next;
    const length = this.dataLen(last);
    if (bytes > length) return false;
    this.setDataLen(last, length - bytes);
    this.setPktLen(h, this.pktLen(h) - bytes);
    return true;
  }
}
