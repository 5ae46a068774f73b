/**
 * The command grammar: a command is a row of tokens, and one table gives parsing with typed values, help text and tab completion.
 * Used by commands/ to declare and by the prompt to run.
 */
import { parseNumber } from './values.js';

/** What tokens may ask while they match or complete. */
export interface GrammarWorld {
  /** Ids of existing ports. */
  portIds(): number[];
}

/** Returned by a token that does not accept a word. */
export const NO_MATCH: unique symbol = Symbol('no match');

/** One word of a command. `key` names the value it yields; '' = a fixed word that yields none. */
export interface Token<K extends string = string, T = unknown> {
  readonly key: K;
  /** How the word stands in help: itself, (a|b), (name). */
  readonly usage: string;
  match(word: string): T | typeof NO_MATCH;
  complete(world: GrammarWorld): readonly string[];
}

/** The values of a row of tokens, by key. */
export type ArgsOf<W extends readonly Token[]> = {
  [E in W[number] as E['key'] extends '' ? never : E['key']]: Exclude<
    ReturnType<E['match']>,
    typeof NO_MATCH
  >;
};

/** A fixed word. */
export function kw(word: string): Token<'', undefined> {
  return {
    key: '',
    usage: word,
    match: (given) => (given === word ? undefined : NO_MATCH),
    complete: () => [word],
  };
}

/** One of several fixed words. */
export function pick<K extends string, const C extends string>(key: K, choices: readonly C[]): Token<K, C> {
  return {
    key,
    usage: `(${choices.join('|')})`,
    match: (given) => choices.find((choice) => choice === given) ?? NO_MATCH,
    complete: () => choices,
  };
}

/** on or off as a boolean. */
export function onOff<K extends string>(key: K): Token<K, boolean> {
  return {
    key,
    usage: '(on|off)',
    match: (given) => (given === 'on' ? true : given === 'off' ? false : NO_MATCH),
    complete: () => ['on', 'off'],
  };
}

/** A whole number: decimal, 0x or 0b. Numbers outside the range do not match, as in DPDK, where the type's width is the range. */
export function num<K extends string>(key: K, min = 0, max = 0xffff_ffff): Token<K, number> {
  return {
    key,
    usage: `(${key})`,
    match: (given) => {
      const value = parseNumber(given);
      return value === undefined || value < min || value > max ? NO_MATCH : value;
    },
    complete: () => [],
  };
}

/** A port id. Whether the port exists is for the command to say. */
export function port(): Token<'port', number> {
  return { ...num('port', 0, 65_535), usage: '(port_id)', complete: (world) => world.portIds().map(String) };
}

/** A port id or `all`. */
export function ports(): Token<'ports', number | 'all'> {
  const one = port();
  return {
    key: 'ports',
    usage: '(port_id|all)',
    match: (given) => (given === 'all' ? 'all' : one.match(given)),
    complete: (world) => [...one.complete(world), 'all'],
  };
}

/** Any word, as typed. `usage` describes it. */
export function word<K extends string>(key: K, usage = `(${key})`): Token<K, string> {
  return { key, usage, match: (given) => given, complete: () => [] };
}

/** Sections of `help`, in order, with the line that describes each. */
export const SECTIONS = {
  control: 'Start and stop forwarding.',
  display: 'Ports, statistics and configuration.',
  config: 'Change the configuration.',
  ports: 'Start, stop, add and remove ports.',
  devices: 'Devices behind ports.',
} as const;
export type Section = keyof typeof SECTIONS;

/** A command with its tokens erased, as the prompt sees it. `C` is what commands act on. */
export interface Command<C> {
  readonly words: readonly Token[];
  readonly section: Section;
  readonly help: string;
  run(args: Record<string, unknown>, context: C): void | Promise<void>;
}

/** Declares a command; `run` gets the values of `words` with their types. */
export function command<C, const W extends readonly Token[]>(definition: {
  words: W;
  section: Section;
  help: string;
  run: (args: ArgsOf<W>, context: C) => void | Promise<void>;
}): Command<C> {
  const { words, section, help, run } = definition;
  return { words, section, help, run: (args, context) => run(args as ArgsOf<W>, context) };
}

export const usageOf = (words: readonly Token[]): string => words.map((token) => token.usage).join(' ');

export type Parsed<C> =
  | { kind: 'run'; command: Command<C>; args: Record<string, unknown> }
  | { kind: 'empty' }
  | { kind: 'unknown' }
  /** The beginning is a command's, the rest is not. `near` are the commands that match furthest. */
  | { kind: 'bad'; near: Command<C>[] };

const splitWords = (line: string): string[] => line.split(/\s+/).filter((part) => part !== '');

/** Finds the command a line means. Empty lines and lines that start with # mean none. */
export function parseLine<C>(line: string, commands: readonly Command<C>[]): Parsed<C> {
  const words = splitWords(line);
  if (words.length === 0 || words[0]?.startsWith('#')) return { kind: 'empty' };
  let furthest = 0;
  let near: Command<C>[] = [];
  for (const candidate of commands) {
    const { matched, args } = matchWords(candidate.words, words);
    if (matched === words.length && matched === candidate.words.length)
      return { kind: 'run', command: candidate, args };
    if (matched > furthest) {
      furthest = matched;
      near = [];
    }
    if (matched === furthest && matched > 0) near.push(candidate);
  }
  return furthest === 0 ? { kind: 'unknown' } : { kind: 'bad', near };
}

function matchWords(
  tokens: readonly Token[],
  words: readonly string[],
): { matched: number; args: Record<string, unknown> } {
  const args: Record<string, unknown> = {};
  let matched = 0;
  for (const token of tokens) {
    const given = words[matched];
    const value = given === undefined ? NO_MATCH : token.match(given);
    if (value === NO_MATCH) break;
    if (token.key !== '') args[token.key] = value;
    matched++;
  }
  return { matched, args };
}

/** Words that can stand where `line` ends, and the part of the line that they replace: what readline's completer returns. */
export function completeLine<C>(
  line: string,
  commands: readonly Command<C>[],
  world: GrammarWorld,
): [string[], string] {
  const words = splitWords(line);
  const partial = /\s$/.test(line) || line === '' ? '' : (words.pop() ?? '');
  const hits = new Set<string>();
  for (const { words: tokens } of commands) {
    if (words.length >= tokens.length) continue;
    if (matchWords(tokens, words).matched < words.length) continue;
    for (const candidate of tokens[words.length]?.complete(world) ?? []) {
      if (candidate.startsWith(partial)) hits.add(candidate);
    }
  }
  const list = [...hits].sort();
  // One possibility: readline inserts it; the blank saves the user from typing it.
  return [list.length === 1 ? [`${list[0]} `] : list, partial];
}
