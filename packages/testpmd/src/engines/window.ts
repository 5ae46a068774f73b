/**
 * The first bytes of a packet as one contiguous piece: the arena itself when the first segment holds them, else a copy that is written
 * back by commit(). Lets engines parse and edit headers without caring how the packet is cut. One per engine; nothing allocated per packet.
 */
import type { Mbufs } from '@pollwire/ethdev';
import type { Arena } from '@pollwire/native';

/** Enough for two VLAN tags, IPv4 with options or IPv6 with some extension headers, and a TCP header. */
export const WINDOW_BYTES = 256;

export class HeaderWindow {
  /** Bytes to read and edit, from `base`, `length` of them. */
  u8: Uint8Array;
  base = 0;
  length = 0;
  private readonly mbufs: Mbufs;
  private readonly arenaBytes: Uint8Array;
  private readonly scratch = new Uint8Array(WINDOW_BYTES);
  private copied = 0;

  constructor(arena: Arena, mbufs: Mbufs) {
    this.mbufs = mbufs;
    this.arenaBytes = arena.u8;
    this.u8 = arena.u8;
  }

  /**
   * Opens on packet `h`. Without a copy when the first segment is in the arena and holds `want` bytes or the whole packet.
   */
  open(h: number, want: number): void {
    const p = this.mbufs.data(h);
    const inFirst = this.mbufs.dataLen(h);
    if (p >= 0 && (inFirst >= want || inFirst >= this.mbufs.pktLen(h))) {
      this.u8 = this.arenaBytes;
      this.base = p;
      this.length = inFirst;
      this.copied = 0;
      return;
    }
    this.u8 = this.scratch;
    this.base = 0;
    this.length = this.mbufs.read(h, 0, this.scratch);
    this.copied = h;
  }

  /** Makes edits reach the packet. */
  commit(): void {
    if (this.copied === 0) return;
    this.mbufs.write(
      this.copied,
      0,
      this.length === WINDOW_BYTES ? this.scratch : this.scratch.subarray(0, this.length),
    );
  }
}
