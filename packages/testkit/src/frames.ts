/** Test frames: every byte depends on the sequence number and its position, so that any mix-up shows. */

const HEADER = 14;

/** A frame of `length` bytes (≥ 14) with a local unicast destination and EtherType 0x88b5 (local experiments, IEEE 802). */
export function makeFrame(sequence: number, length: number): Uint8Array {
  const frame = new Uint8Array(length);
  for (let i = HEADER; i < length; i++) frame[i] = (sequence * 31 + i * 7 + (i >> 8)) & 0xff;
  frame.set([0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0x88, 0xb5]);
  return frame;
}

/** Frames with consecutive sequence numbers, one for each length. */
export function makeFrames(lengths: readonly number[], first = 1): Uint8Array[] {
  return lengths.map((length, i) => makeFrame(first + i, length));
}

/** Lengths at which something changes: limits of Ethernet, of inline copies, of mbufs. */
export const INTERESTING_LENGTHS: readonly number[] = [
  14, 15, 31, 32, 33, 59, 60, 63, 64, 65, 127, 128, 129, 255, 256, 512, 1023, 1500, 1514, 1518, 1519, 2047,
  2048, 2049, 4096, 9000, 9018,
];
