/**
 * The number of SET_VRING_BASE and GET_VRING_BASE. Split: the next avail index, 16 bits. Packed: avail index in bits
 * 0-14, its wrap counter in bit 15, used index in bits 16-30, its wrap counter in bit 31.
 */

/** Where a packed ring stands. Indices 0 to 32767. */
export interface PackedPosition {
  readonly availIndex: number;
  readonly availWrap: boolean;
  readonly usedIndex: number;
  readonly usedWrap: boolean;
}

/** The next avail index of a split ring; higher bits of the peer's number mean nothing. */
export function splitVringBase(num: number): number {
  return num & 0xffff;
}

/**
 * Unpack the base of a packed ring. An upper half of 0 means "the same as the avail half", because DPDK leaves it out
 * on both sides. The one real position that this hides (used index 0, wrap counter 0, buffers in flight) cannot be
 * resumed without the in-flight region anyway.
 */
export function unpackVringBase(num: number): PackedPosition {
  const avail = num & 0xffff;
  const upper = num >>> 16;
  const used = upper === 0 ? avail : upper;
  return {
    availIndex: avail & 0x7fff,
    availWrap: (avail & 0x8000) !== 0,
    usedIndex: used & 0x7fff,
    usedWrap: (used & 0x8000) !== 0,
  };
}

/** Pack the position of a packed ring, both halves. */
export function packVringBase(position: PackedPosition): number {
  const half = (index: number, wrap: boolean) => (index & 0x7fff) | (wrap ? 0x8000 : 0);
  const low = half(position.availIndex, position.availWrap);
  const high = half(position.usedIndex, position.usedWrap);
  return ((high << 16) | low) >>> 0;
}
