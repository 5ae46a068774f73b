/**
 * Frames whose content can be checked: a sequence number, a length and a payload derived from it, closed by a CRC-32.
 * Pure functions over bytes, without allocation, so that a poll function can call them on arena memory. Tests write such
 * frames into one port and check them behind a peer that only relays.
 *
 * ```
 *  0            6            12     14      18      22      24            length-4
 *  +------------+------------+------+-------+-------+-------+-------------+-----+
 *  | dst MAC    | src MAC    | 88b5 | magic | seq   | len   | f(seq, i)   | CRC |
 *  +------------+------------+------+-------+-------+-------+-------------+-----+
 * ```
 * The CRC covers byte 12 up to itself: a relay may rewrite the MAC addresses. Numbers are big-endian.
 */

/** Shortest frame that holds every field. */
export const minFrameLength = 28;

/** IEEE 802 local experimental ethertype 1: no stack answers it. */
const etherType = 0x88b5;
const magic = 0x504c5752;
const headerLength = 24;
const crcStart = 12;

/** Why a frame was refused; `checkFrameAt` returns one of these, all negative. */
export const frameFault = {
  tooShort: -1,
  foreign: -2,
  wrongLength: -3,
  badCrc: -4,
  badPayload: -5,
} as const;

const faultText = new Map<number, string>([
  [frameFault.tooShort, `shorter than ${minFrameLength} bytes`],
  [frameFault.foreign, 'not one of our frames (ethertype or magic)'],
  [frameFault.wrongLength, 'length differs from the length it was sent with'],
  [frameFault.badCrc, 'CRC does not match'],
  [frameFault.badPayload, 'CRC matches but the payload is not the one of this sequence number'],
]);

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** CRC-32 (IEEE 802.3) of `bytes[start, end)`. */
export function crc32(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = 0xffffffff;
  for (let i = start; i < end; i += 1) {
    crc = (crc >>> 8) ^ (crcTable[(crc ^ (bytes[i] as number)) & 0xff] as number);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** Start of the payload generator for one sequence number: neighbours differ in every byte position. */
function payloadSeed(seq: number): number {
  return Math.imul(seq + 1, 0x9e3779b1) | 1;
}

/** xorshift32. */
function next(state: number): number {
  let x = state;
  x ^= x << 13;
  x ^= x >>> 17;
  x ^= x << 5;
  return x | 0;
}

function put32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function get32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}

/**
 * Writes frame number `seq` into `bytes[offset, offset + length)`.
 *
 * @param seq 0 to 2^32-1
 * @param length without Ethernet's own FCS, {@link minFrameLength} to 65535
 * @throws RangeError when the length is out of range or does not fit
 */
export function writeFrame(bytes: Uint8Array, seq: number, length: number, offset = 0): void {
  if (length < minFrameLength || length > 0xffff || offset + length > bytes.length) {
    throw new RangeError(
      `frame of ${length} bytes at ${offset}: ${minFrameLength} to 65535, room ${bytes.length}`,
    );
  }
  // Locally administered addresses, not multicast.
  for (let i = 0; i < 12; i += 1) bytes[offset + i] = i % 6 === 0 ? 0x02 : i;
  bytes[offset + 12] = etherType >> 8;
  bytes[offset + 13] = etherType & 0xff;
  put32(bytes, offset + 14, magic);
  put32(bytes, offset + 18, seq);
  bytes[offset + 22] = length >> 8;
  bytes[offset + 23] = length & 0xff;
  const end = offset + length - 4;
  let state = payloadSeed(seq);
  for (let i = offset + headerLength; i < end; i += 1) {
    state = next(state);
    bytes[i] = state >>> 11;
  }
  put32(bytes, end, crc32(bytes, offset + crcStart, end));
}

/**
 * Checks the frame in `bytes[offset, offset + length)`.
 *
 * @returns its sequence number, or a negative {@link frameFault}
 */
export function checkFrameAt(bytes: Uint8Array, offset: number, length: number): number {
  if (length < minFrameLength) return frameFault.tooShort;
  const type = ((bytes[offset + 12] as number) << 8) | (bytes[offset + 13] as number);
  if (type !== etherType || get32(bytes, offset + 14) !== magic) return frameFault.foreign;
  const sent = ((bytes[offset + 22] as number) << 8) | (bytes[offset + 23] as number);
  if (sent !== length) return frameFault.wrongLength;
  const end = offset + length - 4;
  if (crc32(bytes, offset + crcStart, end) !== get32(bytes, end)) return frameFault.badCrc;
  const seq = get32(bytes, offset + 18);
  let state = payloadSeed(seq);
  for (let i = offset + headerLength; i < end; i += 1) {
    state = next(state);
    if (bytes[i] !== ((state >>> 11) & 0xff)) return frameFault.badPayload;
  }
  return seq;
}

export type FrameCheck = { ok: true; seq: number; reason: '' } | { ok: false; seq: -1; reason: string };

/** {@link checkFrameAt} over a whole array, with the reason in words. Allocates its answer: not for poll functions. */
export function checkFrame(bytes: Uint8Array): FrameCheck {
  const result = checkFrameAt(bytes, 0, bytes.length);
  if (result >= 0) return { ok: true, seq: result, reason: '' };
  return { ok: false, seq: -1, reason: faultText.get(result) ?? `fault ${result}` };
}

/** Which of the sequence numbers 0 … size-1 have arrived, and in what order. */
export class SequenceLog {
  received = 0;
  duplicates = 0;
  /** Frames that came after one with a higher number. */
  outOfOrder = 0;
  /** Numbers ≥ size. */
  unexpected = 0;
  #highest = -1;
  #seen: Uint8Array;

  constructor(size: number) {
    this.#seen = new Uint8Array(size);
  }

  add(seq: number): void {
    if (seq >= this.#seen.length) {
      this.unexpected += 1;
      return;
    }
    if (this.#seen[seq] === 1) {
      this.duplicates += 1;
      return;
    }
    this.#seen[seq] = 1;
    this.received += 1;
    if (seq < this.#highest) this.outOfOrder += 1;
    else this.#highest = seq;
  }

  get missing(): number {
    return this.#seen.length - this.received;
  }
}
