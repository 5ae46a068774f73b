/** A frame with an 802.1Q or 802.1ad tag behind its addresses. */
export function withTag(frame: Uint8Array, type: number, tci: number): Uint8Array {
  return Uint8Array.of(
    ...frame.subarray(0, 12),
    type >> 8,
    type & 0xff,
    tci >> 8,
    tci & 0xff,
    ...frame.subarray(12),
  );
}
