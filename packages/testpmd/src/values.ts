/**
 * Reads the value forms that options and commands share: numbers, lists such as `0-2,5`, bit masks, segment lengths, IPv4 addresses.
 * Pure; every refusal is a PollwireError that names what was given and what would be right.
 */
import { PollwireError } from '@pollwire/native';

/** Decimal, 0x hexadecimal or 0b binary; undefined when it is none of these. */
export function parseNumber(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number.parseInt(text, 10);
  if (/^0x[0-9a-f]+$/i.test(text)) return Number.parseInt(text.slice(2), 16);
  if (/^0b[01]+$/i.test(text)) return Number.parseInt(text.slice(2), 2);
  return undefined;
}

/** A whole number within [min, max]; `what` starts the sentence of a refusal. */
export function integer(what: string, text: string, min: number, max: number): number {
  const value = parseNumber(text);
  if (value === undefined || value < min || value > max) {
    throw new PollwireError(
      'OPTION_VALUE',
      `${what} must be a whole number from ${min} to ${max}, not '${text}'.`,
    );
  }
  return value;
}

/** `0-2,5` → [0, 1, 2, 5], in the order given. Throws for empty parts, reversed ranges, repetitions. */
export function numberList(what: string, text: string, max: number): number[] {
  const list: number[] = [];
  for (const part of text.split(',')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part.trim());
    const from = Number(match?.[1] ?? Number.NaN);
    const to = Number(match?.[2] ?? from);
    if (match === null || to < from || to > max) {
      throw new PollwireError(
        'OPTION_VALUE',
        `${what} must be numbers and ranges up to ${max}, such as 0-2,5; '${part}' is neither.`,
      );
    }
    for (let n = from; n <= to; n++) list.push(n);
  }
  const twice = list.find((n, i) => list.indexOf(n) !== i);
  if (twice !== undefined) throw new PollwireError('OPTION_VALUE', `${what} names ${twice} twice.`);
  return list;
}

/** Hexadecimal bit mask, with or without 0x → the set bits, lowest first. Throws for anything else and for an empty mask. */
export function maskBits(what: string, text: string): number[] {
  if (!/^(0x)?[0-9a-f]{1,32}$/i.test(text)) {
    throw new PollwireError('OPTION_VALUE', `${what} must be a hexadecimal mask such as 0x3, not '${text}'.`);
  }
  let mask = BigInt(`0x${text.replace(/^0x/i, '')}`);
  const bits: number[] = [];
  for (let bit = 0; mask !== 0n; bit++, mask >>= 1n) {
    if ((mask & 1n) === 1n) bits.push(bit);
  }
  if (bits.length === 0) throw new PollwireError('OPTION_VALUE', `${what} has no bit set.`);
  return bits;
}

/** Comma-separated whole numbers, each within [min, max]. */
export function integers(what: string, text: string, min: number, max: number): number[] {
  return text.split(',').map((part) => integer(what, part.trim(), min, max));
}

/** Most segments of one generated packet. */
export const MAX_SEGMENTS = 255;

/** Bytes of Ethernet, IPv4 and UDP headers: the least that txonly and flowgen can send. */
export const MIN_GENERATED = 14 + 20 + 8;

/** `--txpkts` / `set txpkts`: segment lengths, each within one mbuf's data room and together at least the headers. */
export function segmentLengths(what: string, text: string, dataRoom: number): number[] {
  const lengths = integers(what, text, 1, 0xffff_ffff);
  if (lengths.length > MAX_SEGMENTS) {
    throw new PollwireError(
      'OPTION_VALUE',
      `${what} has ${lengths.length} segments; at most ${MAX_SEGMENTS}.`,
    );
  }
  const tooLong = lengths.findIndex((length) => length > dataRoom);
  if (tooLong >= 0) {
    throw new PollwireError(
      'OPTION_VALUE',
      `length[${tooLong}]=${lengths[tooLong]} > mbuf_data_size=${dataRoom} - give up`,
    );
  }
  const total = lengths.reduce((sum, length) => sum + length, 0);
  if (total < MIN_GENERATED) {
    throw new PollwireError('OPTION_VALUE', `total packet length=${total} < ${MIN_GENERATED} - give up`);
  }
  return lengths;
}

/** Dotted IPv4 address → number in host order. */
export function parseIpv4(what: string, text: string): number {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)) {
    throw new PollwireError(
      'OPTION_VALUE',
      `${what} must be an IPv4 address such as 198.18.0.1, not '${text}'.`,
    );
  }
  return parts.reduce((value, part) => value * 256 + Number(part), 0);
}

/** One of `choices`, or a refusal that lists them. */
export function oneOf<T extends string>(what: string, text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text);
  if (found === undefined) {
    throw new PollwireError('OPTION_VALUE', `${what} must be one of ${choices.join(', ')}, not '${text}'.`);
  }
  return found;
}
