/** Network byte order over a byte array, and the one's complement sums of IP checksums. Pure functions, called per packet. */

export const u16be = (u8: Uint8Array, p: number): number => ((u8[p] as number) << 8) | (u8[p + 1] as number);

export function setU16be(u8: Uint8Array, p: number, value: number): void {
  u8[p] = value >>> 8;
  u8[p + 1] = value;
}

export const u32be = (u8: Uint8Array, p: number): number =>
  (((u8[p] as number) << 24) |
    ((u8[p + 1] as number) << 16) |
    ((u8[p + 2] as number) << 8) |
    (u8[p + 3] as number)) >>>
  0;

export function setU32be(u8: Uint8Array, p: number, value: number): void {
  u8[p] = value >>> 24;
  u8[p + 1] = value >>> 16;
  u8[p + 2] = value >>> 8;
  u8[p + 3] = value;
}

/** Exchanges `count` bytes at `p` with those at `q`. */
export function swapBytes(u8: Uint8Array, p: number, q: number, count: number): void {
  for (let i = 0; i < count; i++) {
    const byte = u8[p + i] as number;
    u8[p + i] = u8[q + i] as number;
    u8[q + i] = byte;
  }
}

/** Sum of big-endian 16-bit words; an odd last byte is the upper half of a word (RFC 1071). At most 64 KiB. Not folded. */
export function sumBytes(u8: Uint8Array, p: number, count: number): number {
  const even = p + (count & ~1);
  let sum = 0;
  for (let i = p; i < even; i += 2) sum += ((u8[i] as number) << 8) | (u8[i + 1] as number);
  return (count & 1) === 0 ? sum : sum + ((u8[even] as number) << 8);
}

/** Carries added back in: 16 bits. */
export function fold(sum: number): number {
  let folded = (sum & 0xffff) + (sum >>> 16);
  folded = (folded & 0xffff) + (folded >>> 16);
  return folded;
}

/**
 * Checksum after a 16-bit word of the covered data changed (RFC 1624, equation 3).
 * @param checksum as it stands in the packet
 */
export function updateChecksum(checksum: number, before: number, after: number): number {
  return ~fold((~checksum & 0xffff) + (~before & 0xffff) + after) & 0xffff;
}
