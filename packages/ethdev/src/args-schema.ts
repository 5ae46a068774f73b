/**
 * The kinds a driver's `args` table is made of: int, bool, str, path, mac, choice, list, flag, later. Each parses text into a typed value
 * or throws one sentence. Called by drivers (defineDriver) and by the registry when a device is attached.
 */
import { PollwireError } from '@pollwire/native';
import type { Devargs } from './devargs.js';
import { parseMac } from './mac.js';
import { didYouMean, endSentence, sentenceList } from './suggest.js';

export interface Common {
  /** One line for help texts and the generated documentation. */
  doc?: string;
}

/** A parser with what help and documentation need. `T` is the value's type in `ctx.args`. */
export interface ArgKind<T> extends Common {
  readonly kind: string;
  /** Value when the key is absent; undefined when there is none. */
  readonly default?: T | undefined;
  readonly required?: boolean | undefined;
  /** True when the key may be repeated. */
  readonly repeat?: boolean | undefined;
  /** What the key alone, without `=`, stands for. Absent: a value is needed. */
  readonly bare?: string | undefined;
  /** Text → value; throws with a clause such as `is not a number`. */
  parse(text: string): T;
}

export type ArgsSchema = Readonly<Record<string, ArgKind<unknown>>>;

/** The typed object that a schema yields: keys with a default or `required` are always there. */
export type ArgsOf<S extends ArgsSchema> = {
  readonly [K in keyof S]: S[K] extends ArgKind<infer T>
    ? S[K] extends { default: NonNullable<unknown> } | { required: true }
      ? T
      : T | undefined
    : never;
};

export type Presence<T> =
  | { default: T; required?: undefined }
  | { required: true; default?: undefined }
  | Record<never, never>;
export type Kind<T, O> = ArgKind<T> &
  (O extends { default: unknown }
    ? { default: T }
    : O extends { required: true }
      ? { required: true }
      : unknown);

class Clause extends Error {}

function make<T, O extends object>(
  kind: string,
  options: O | undefined,
  parse: (text: string) => T,
): Kind<T, O> {
  return { kind, ...options, parse } as unknown as Kind<T, O>;
}

/** Whole number, decimal or 0x…; `min` and `max` are inclusive. */
export function int<const O extends Presence<number> & Common & { min?: number; max?: number }>(
  options?: O,
): Kind<number, O> {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = (options ?? {}) as {
    min?: number;
    max?: number;
  };
  return make('int', options, (text) => {
    if (!/^-?(0x[0-9a-f]+|\d+)$/i.test(text)) throw new Clause('is not a whole number');
    const value = text.startsWith('-') ? -Number(text.slice(1)) : Number(text);
    if (value < min || value > max) throw new Clause(`is outside ${min} to ${max}`);
    return value;
  });
}

const BOOLS: Readonly<Record<string, boolean>> = {
  1: true,
  0: false,
  true: true,
  false: false,
  on: true,
  off: false,
  yes: true,
  no: false,
};

/** 0/1, true/false, on/off, yes/no. */
export function bool<const O extends Presence<boolean> & Common>(options?: O): Kind<boolean, O> {
  return make('bool', options, (text) => {
    const value = BOOLS[text.toLowerCase()];
    if (value === undefined) throw new Clause('is not 0 or 1');
    return value;
  });
}

/** A bool that is true when the key stands alone, and false by default. */
export function flag(options: Common = {}): ArgKind<boolean> & { default: boolean } {
  return { ...bool({ ...options, default: false }), kind: 'flag', bare: '1' };
}

/** Any text. */
export function str<const O extends Presence<string> & Common>(options?: O): Kind<string, O> {
  return make('str', options, (text) => text);
}

/** A file name: not empty, no NUL. Length and existence are the driver's business. */
export function path<const O extends Presence<string> & Common>(options?: O): Kind<string, O> {
  return make('path', options, (text) => {
    if (text === '') throw new Clause('is empty; give a file name');
    if (text.includes('\0')) throw new Clause('holds a NUL byte');
    return text;
  });
}

/** Ethernet address as six bytes. */
export function mac<const O extends Presence<Uint8Array> & Common>(options?: O): Kind<Uint8Array, O> {
  return make('mac', options, (text) => {
    try {
      return parseMac(text);
    } catch {
      throw new Clause('is not a MAC address such as 02:00:00:00:00:01');
    }
  });
}

/** One of the given words. */
export function choice<const C extends readonly string[], const O extends Presence<C[number]> & Common>(
  words: C,
  options?: O,
): Kind<C[number], O> {
  return make('choice', options, (text) => {
    if (!words.includes(text))
      throw new Clause(`is not one of ${sentenceList(words)}${didYouMean(text, words)}`);
    return text as C[number];
  });
}

/** A key that may be repeated, or given once in brackets: `member=a,member=b` or `member=[a,b]`. */
export function list<T, const O extends Presence<readonly T[]> & Common>(
  of: ArgKind<T>,
  options?: O,
): Kind<readonly T[], O> {
  const parse = (text: string): readonly T[] =>
    text.startsWith('[') && text.endsWith(']')
      ? text
          .slice(1, -1)
          .split(',')
          .map((one) => of.parse(one))
      : [of.parse(text)];
  return { ...make<readonly T[], O>('list', options, parse), repeat: true };
}

/** A devarg of DPDK that this version knows and does not implement: its default value is accepted, any other refused with `sentence`. */
export function later(defaultText: string, sentence: string): ArgKind<string> & { default: string } {
  return {
    kind: 'later',
    default: defaultText,
    doc: sentence,
    parse(text) {
      if (text !== defaultText) throw new Clause(`is not supported: ${sentence}`);
      return text;
    },
  };
}

function parseOne(device: string, key: string, kind: ArgKind<unknown>, text: string | undefined): unknown {
  if (text === undefined && kind.bare !== undefined) return kind.parse(kind.bare);
  if (text === undefined) {
    throw new PollwireError('DEVARG_VALUE', `${device}: '${key}' needs a value; write ${key}=….`, {
      details: { key },
    });
  }
  try {
    return kind.parse(text);
  } catch (error) {
    if (!(error instanceof Clause)) throw error;
    throw new PollwireError('DEVARG_VALUE', endSentence(`${device}: ${key}=${text} ${error.message}`), {
      details: { key, text },
    });
  }
}

/** Checks all pairs against the schema. Throws DEVARG_UNKNOWN, DEVARG_REPEATED, DEVARG_VALUE or DEVARG_MISSING. */
export function parseArgs<S extends ArgsSchema>(schema: S, devargs: Devargs): ArgsOf<S> {
  const values: Record<string, unknown> = {};
  for (const { key, value } of devargs.pairs) {
    const kind = Object.hasOwn(schema, key) ? schema[key] : undefined;
    if (kind === undefined) throw unknownKey(schema, devargs.name, key);
    const parsed = parseOne(devargs.name, key, kind, value);
    const earlier = values[key];
    if (earlier !== undefined && kind.repeat !== true) {
      throw new PollwireError('DEVARG_REPEATED', `${devargs.name}: '${key}' is given twice; keep one.`, {
        details: { key },
      });
    }
    values[key] = earlier === undefined ? parsed : [...(earlier as unknown[]), ...(parsed as unknown[])];
  }
  for (const [key, kind] of Object.entries(schema)) {
    if (values[key] !== undefined) continue;
    if (kind.required === true) {
      throw new PollwireError('DEVARG_MISSING', `${devargs.name}: '${key}' is required; add ,${key}=….`, {
        details: { key },
      });
    }
    values[key] = kind.default;
  }
  return values as ArgsOf<S>;
}

function unknownKey(schema: ArgsSchema, device: string, key: string): PollwireError {
  const known = Object.keys(schema);
  const hint = didYouMean(key, known) || `; it knows ${sentenceList(known)}`;
  return new PollwireError('DEVARG_UNKNOWN', endSentence(`${device}: unknown devarg '${key}'${hint}`), {
    details: { key },
  });
}
