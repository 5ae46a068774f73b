/**
 * A bounded time line of what went over a vhost-user connection, in structured form: the raw material of "why is the
 * link down". Holds numbers and names only, never bytes of the peer, and repeats of one message take one entry.
 */
import type { MessageRow } from './messages.js';
import type { PayloadKind, PayloadTypes } from './payloads.js';

/** A printable part of a payload. */
export type TraceValue = string | number | bigint | boolean;

/** One entry. */
export interface TraceEntry {
  /** Running number, from 0; gaps never occur, old entries fall out at the front. */
  readonly seq: number;
  /** Milliseconds since the time line began, of the first occurrence. */
  readonly at: number;
  /** Came in, went out, or happened here. */
  readonly dir: 'in' | 'out' | 'note';
  /** Message name, or the name of what happened. */
  readonly name: string;
  readonly reply: boolean;
  readonly needReply: boolean;
  readonly fds: number;
  readonly fields: Readonly<Record<string, TraceValue>>;
  /** How often in a row; `at` and `lastAt` span them. */
  readonly count: number;
  readonly lastAt: number;
}

export type NewEntry = Pick<TraceEntry, 'dir' | 'name'> &
  Partial<Omit<TraceEntry, 'seq' | 'at' | 'count' | 'lastAt'>>;

export class Trace {
  readonly #limit: number;
  readonly #now: () => number;
  readonly #start: number;
  #entries: TraceEntry[] = [];
  #seq = 0;

  /** @param limit entries kept, default 256 */
  constructor(limit = 256, now: () => number = () => performance.now()) {
    this.#limit = Math.max(1, limit);
    this.#now = now;
    this.#start = now();
  }

  /** The entries, oldest first. A copy. */
  get entries(): readonly TraceEntry[] {
    return this.#entries.slice();
  }

  /** Entries that fell out, plus those that are there. */
  get total(): number {
    return this.#seq;
  }

  /** Note something that was not a message: a refusal, a close, a state. */
  note(name: string, fields: Readonly<Record<string, TraceValue>> = {}): void {
    this.add({ dir: 'note', name, fields });
  }

  add(entry: NewEntry): void {
    const at = this.#now() - this.#start;
    const full = { reply: false, needReply: false, fds: 0, fields: {}, ...entry };
    const last = this.#entries.at(-1);
    if (last !== undefined && isRepeat(last, full)) {
      this.#entries[this.#entries.length - 1] = { ...last, count: last.count + 1, lastAt: at };
      return;
    }
    this.#entries.push({ ...full, seq: this.#seq, at, lastAt: at, count: 1 });
    this.#seq += 1;
    if (this.#entries.length > this.#limit) {
      this.#entries.shift();
    }
  }
}

/** One entry as a line: `+0012 ms in  SET_VRING_NUM index=0 num=256 ack`. */
export function formatTraceEntry(entry: TraceEntry): string {
  const fields = Object.entries(entry.fields).map(([name, value]) => `${name}=${formatValue(value)}`);
  const words = [
    `+${entry.at.toFixed(0).padStart(4, '0')} ms`,
    entry.dir.padEnd(4),
    entry.name,
    ...fields,
    entry.fds > 0 ? `fds=${entry.fds}` : '',
    entry.reply ? 'reply' : '',
    entry.needReply ? 'ack-wanted' : '',
    entry.count > 1 ? `×${entry.count}` : '',
  ];
  return words.filter((word) => word !== '').join(' ');
}

/** The fields of a payload worth keeping. Byte strings become their length, lists their count. */
export function traceFields(row: MessageRow, payload: PayloadTypes[PayloadKind]): Record<string, TraceValue> {
  if (payload === undefined) {
    return {};
  }
  if (typeof payload === 'bigint') {
    return { u64: payload };
  }
  if (payload instanceof Uint8Array) {
    return { bytes: payload.length };
  }
  if (row.payload === 'memTable') {
    const regions = payload as PayloadTypes['memTable'];
    return { regions: regions.length, bytes: regions.reduce((sum, region) => sum + region.size, 0n) };
  }
  const kept = Object.entries(payload).filter(([, value]) => {
    return ['number', 'bigint', 'boolean'].includes(typeof value);
  });
  return Object.fromEntries(kept);
}

function formatValue(value: TraceValue): string {
  return typeof value === 'bigint' ? `0x${value.toString(16)}` : String(value);
}

function isRepeat(a: TraceEntry, b: Omit<TraceEntry, 'seq' | 'at' | 'count' | 'lastAt'>): boolean {
  const same = a.dir === b.dir && a.name === b.name && a.reply === b.reply && a.needReply === b.needReply;
  const names = Object.keys(b.fields);
  return (
    same &&
    a.fds === b.fds &&
    Object.keys(a.fields).length === names.length &&
    names.every((name) => a.fields[name] === b.fields[name])
  );
}
