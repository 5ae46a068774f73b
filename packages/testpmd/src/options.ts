/**
 * testpmd's own command line, the part after `--`: DPDK's spelling, read into Settings. Called by main.ts; parsing only, nothing is started.
 * Forms: `--name`, `--name=value`, `--name value`, `-x`.
 */
import { didYouMean } from '@pollwire/ethdev';
import { PollwireError } from '@pollwire/native';
import { acceptedOptions } from './options/accepted.js';
import { offloadOptions } from './options/offloads.js';
import { portOptions } from './options/ports.js';
import { queueOptions } from './options/queues.js';
import { runOptions } from './options/run.js';
import type { OptionRow } from './options/table.js';
import { trafficOptions } from './options/traffic.js';
import type { Settings } from './settings.js';
import { defaultSettings } from './settings.js';

/** Families in the order in which help prints them. */
export const OPTION_FAMILIES: readonly { title: string; rows: readonly OptionRow[] }[] = [
  { title: 'Running', rows: runOptions },
  { title: 'Ports', rows: portOptions },
  { title: 'Queues and mbufs', rows: queueOptions },
  { title: 'Generated traffic', rows: trafficOptions },
  { title: 'Offloads', rows: offloadOptions },
  { title: 'Accepted without effect', rows: acceptedOptions },
];

const ROWS = OPTION_FAMILIES.flatMap((family) => family.rows);
const BY_NAME = new Map(ROWS.map((row) => [row.name, row]));
const BY_SHORT = new Map(ROWS.flatMap((row) => (row.short === undefined ? [] : [[row.short, row] as const])));

export interface ParsedOptions {
  settings: Settings;
  help: boolean;
  /** Sentences worth saying once: options that were accepted without effect. */
  notes: string[];
  /** Options that were given, without dashes, in order: DPDK prints a line for some of them. */
  given: string[];
}

/**
 * Reads options into `settings` (fresh defaults when absent). Throws PollwireError OPTION_UNKNOWN or OPTION_VALUE with one line that names
 * the option, the value and the remedy.
 */
export function parseOptions(argv: readonly string[], settings = defaultSettings()): ParsedOptions {
  const given: string[] = [];
  const idle: string[] = [];
  let help = false;
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] as string;
    if (word === '-h' || word === '--help') {
      help = true;
      continue;
    }
    const { row, typed, inline } = find(word);
    let value = inline;
    if (row.value === undefined && value !== undefined) {
      throw new PollwireError('OPTION_VALUE', `${typed} takes no value; '${value}' was given.`);
    }
    if (row.value !== undefined && value === undefined) {
      value = argv[++i];
      if (value === undefined)
        throw new PollwireError('OPTION_VALUE', `${typed} needs a value: ${typed}=${row.value}.`);
    }
    given.push(row.name);
    if (row.apply === undefined) idle.push(typed);
    else row.apply(settings, value ?? '', typed);
  }
  const notes = idle.length === 0 ? [] : [`Accepted without effect: ${[...new Set(idle)].join(', ')}.`];
  if (!help) checkTogether(settings, given);
  return { settings, help, notes, given };
}

function find(word: string): { row: OptionRow; typed: string; inline: string | undefined } {
  if (/^-[a-zA-Z]$/.test(word)) {
    const row = BY_SHORT.get(word.slice(1));
    if (row !== undefined) return { row, typed: word, inline: undefined };
  }
  if (!word.startsWith('--')) {
    const remedy = word.startsWith('-')
      ? 'long options start with two dashes'
      : 'every argument is an option';
    throw new PollwireError('OPTION_UNKNOWN', `Unknown argument '${word}'; ${remedy}, and -h lists them.`);
  }
  const equals = word.indexOf('=');
  const typed = equals < 0 ? word : word.slice(0, equals);
  const row = BY_NAME.get(typed.slice(2));
  if (row === undefined) {
    const near = didYouMean(typed.slice(2), BY_NAME.keys()).replace("'", "'--");
    throw new PollwireError(
      'OPTION_UNKNOWN',
      `Unknown option '${typed}'${near === '' ? '; -h lists them.' : `${near}?`}`,
    );
  }
  return { row, typed, inline: equals < 0 ? undefined : word.slice(equals + 1) };
}

/** Rules between options. */
function checkTogether(settings: Settings, given: readonly string[]): void {
  const refuse = (message: string): never => {
    throw new PollwireError('OPTION_VALUE', message);
  };
  if (settings.txFirst && settings.interactive) {
    refuse('--tx-first cannot be used with a prompt; type `start tx_first` there.');
  }
  if (given.includes('nb-ports') && settings.portList !== undefined) {
    refuse('--nb-ports and --portmask or --portlist both say which ports forward; use one of them.');
  }
  if (settings.traffic.flowgenClones >= settings.burst && settings.traffic.flowgenClones > 0) {
    refuse(`--flowgen-clones=${settings.traffic.flowgenClones} must be less than --burst=${settings.burst}.`);
  }
}

/** The text of `testpmd … -- --help`. */
export function optionHelp(): string {
  const lines: string[] = ['Usage: testpmd [EAL options] -- [testpmd options]'];
  for (const { title, rows } of OPTION_FAMILIES) {
    lines.push('', `${title}:`);
    for (const row of rows) {
      const short = row.short === undefined ? '' : `-${row.short}, `;
      const value = row.value === undefined ? '' : `=${row.value}`;
      lines.push(`  ${`${short}--${row.name}${value}`.padEnd(38)} ${row.help}`);
    }
  }
  return `${lines.join('\n')}\n`;
}
