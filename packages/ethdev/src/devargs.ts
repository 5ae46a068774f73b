/**
 * Device arguments: `net_vhost0,iface=/tmp/s,queues=2`. Parses the string form into a value and prints the object form back to a string
 * that parses to the same value. Pure; schemas (args-schema.ts) give the pairs a meaning.
 *
 * Grammar, as DPDK's plus two repairs: pairs are split at commas outside square brackets; empty pairs are skipped; white space counts.
 * The value is everything after the first `=`, so it may hold `=`. A value that starts with a double quote ends at the next
 * one and may hold commas and brackets; inside it, backslash escapes a double quote or a backslash.
 */
import { PollwireError } from '@pollwire/native';

export const MAX_DEVICE_NAME = 64;
export const MAX_PAIRS = 32;

/** One `key=value`; `value` is undefined for a bare key. */
export interface DevargsPair {
  readonly key: string;
  readonly value: string | undefined;
}

export interface Devargs {
  /** Exactly what was given (or the printed object form). */
  readonly text: string;
  /** Device name with its number: 'net_vhost0'. */
  readonly name: string;
  readonly pairs: readonly DevargsPair[];
}

export type DevargsValue = string | number | boolean | readonly (string | number)[];

/** Object form of {@link Devargs}: typed, without quoting or limits on characters. */
export interface DevargsObject {
  /** Driver name or alias, 'net_vhost'. */
  driver: string;
  /** Number appended to the driver name; ignored when `name` is given. Default 0. */
  id?: number | undefined;
  /** Whole device name; must start with the driver name. */
  name?: string | undefined;
  args?: Readonly<Record<string, DevargsValue | undefined>> | undefined;
}

function fail(text: string, why: string): never {
  throw new PollwireError('DEVARGS_SYNTAX', `Device arguments '${text}': ${why}`, { details: { text } });
}

/** End of the quoted value that starts at `from` (index of its opening quote): index behind the closing quote. */
function endOfQuotes(text: string, from: number): number {
  for (let i = from + 1; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === '"') return i + 1;
  }
  return fail(text, `the quote at character ${from + 1} is never closed; add a closing ".`);
}

/** End of the bare value that starts at `from`: index of the comma that ends it, or of the end of the text. */
function endOfBare(text: string, from: number): number {
  let open = -1;
  for (let i = from; i < text.length; i++) {
    const c = text[i];
    if (c === '[' && open < 0) open = i;
    else if (c === ']') open = -1;
    else if (c === ',' && open < 0) return i;
  }
  if (open >= 0) fail(text, `the bracket at character ${open + 1} is never closed; add ].`);
  return text.length;
}

function unquote(quoted: string): string {
  return quoted.slice(1, -1).replace(/\\([\s\S])/g, '$1');
}

/** Reads one pair from `at`; returns it with the index of the comma behind it. */
function readPair(text: string, at: number): { pair: DevargsPair | undefined; end: number } {
  const comma = text.indexOf(',', at);
  const equals = text.indexOf('=', at);
  const stop = comma < 0 ? text.length : comma;
  if (equals < 0 || equals > stop) {
    const key = text.slice(at, stop);
    return { pair: key === '' ? undefined : { key, value: undefined }, end: stop };
  }
  const key = text.slice(at, equals);
  if (key === '') fail(text, `a value without a key at character ${at + 1}; write key=value.`);
  const start = equals + 1;
  if (text[start] !== '"') {
    const end = endOfBare(text, start);
    return { pair: { key, value: text.slice(start, end) }, end };
  }
  const end = endOfQuotes(text, start);
  if (end < text.length && text[end] !== ',')
    fail(text, `only a comma may follow the quoted value of '${key}'.`);
  return { pair: { key, value: unquote(text.slice(start, end)) }, end };
}

/** Parses the string form. Throws DEVARGS_SYNTAX naming the place and the remedy. */
export function parseDevargs(text: string): Devargs {
  const nameEnd = text.indexOf(',');
  const name = nameEnd < 0 ? text : text.slice(0, nameEnd);
  checkName(text, name);
  const pairs: DevargsPair[] = [];
  for (let at = nameEnd < 0 ? text.length : nameEnd + 1; at < text.length; ) {
    const { pair, end } = readPair(text, at);
    if (pair !== undefined) pairs.push(pair);
    at = end + 1;
  }
  if (pairs.length > MAX_PAIRS) fail(text, `${pairs.length} arguments; at most ${MAX_PAIRS} are allowed.`);
  return { text, name, pairs };
}

function checkName(text: string, name: string): void {
  if (name === '') fail(text, 'the device name is missing; start with one such as net_null0.');
  if (name.includes('='))
    fail(text, `'${name}' is not a device name; the name comes first, then key=value pairs.`);
  if (name.length > MAX_DEVICE_NAME) {
    fail(text, `the device name has ${name.length} characters; at most ${MAX_DEVICE_NAME} are allowed.`);
  }
}

/** True when a bare value would be read back differently. */
function needsQuotes(value: string): boolean {
  if (value.startsWith('"')) return true;
  let open = false;
  for (const c of value) {
    if (c === '[' && !open) open = true;
    else if (c === ']') open = false;
    else if (c === ',' && !open) return true;
  }
  return open;
}

function formatValue(value: string): string {
  return needsQuotes(value) ? `"${value.replace(/["\\]/g, '\\$&')}"` : value;
}

function* objectPairs(args: NonNullable<DevargsObject['args']>): Iterable<DevargsPair> {
  for (const [key, value] of Object.entries(args)) {
    if (value === undefined) continue;
    if (key === '' || /[=,]/.test(key)) {
      throw new PollwireError(
        'DEVARGS_SYNTAX',
        `'${key}' cannot be an argument name; it must not hold ',' or '='.`,
      );
    }
    for (const one of Array.isArray(value) ? (value as readonly (string | number)[]) : [value]) {
      yield { key, value: typeof one === 'boolean' ? (one ? '1' : '0') : String(one) };
    }
  }
}

/** Name and pairs as text that {@link parseDevargs} reads back unchanged. Booleans become 1 and 0, a list repeats its key. */
export function formatDevargs(name: string, pairs: Iterable<DevargsPair>): string {
  let text = name;
  for (const { key, value } of pairs)
    text += value === undefined ? `,${key}` : `,${key}=${formatValue(value)}`;
  return text;
}

/** Object form → value. `text` is its printed form, so that it round-trips. Throws DEVARGS_SYNTAX. */
export function devargsOf(object: DevargsObject): Devargs {
  const name = object.name ?? `${object.driver}${object.id ?? 0}`;
  const pairs = [...objectPairs(object.args ?? {})];
  const text = formatDevargs(name, pairs);
  checkName(text, name);
  if (name.includes(',')) fail(text, 'a device name cannot hold a comma.');
  if (pairs.length > MAX_PAIRS) fail(text, `${pairs.length} arguments; at most ${MAX_PAIRS} are allowed.`);
  return { text, name, pairs };
}
