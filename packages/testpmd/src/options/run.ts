/** Options on how the program runs: prompt, command files, statistics screens, forwarding mode, events, lcores. */
import { IDLE_MODES } from '@pollwire/ethdev';
import { PollwireError } from '@pollwire/native';
import type { EventName } from '../settings.js';
import { ENGINE_NAMES, EVENT_TEXTS } from '../settings.js';
import { integer, maskBits, oneOf } from '../values.js';
import type { OptionRow } from './table.js';

const EVENT_CHOICES = [...(Object.keys(EVENT_TEXTS) as EventName[]), 'all'] as const;

function events(value: string, option: string): EventName[] {
  const choice = oneOf(option, value, EVENT_CHOICES);
  return choice === 'all' ? (Object.keys(EVENT_TEXTS) as EventName[]) : [choice];
}

function onlyOneProcess(what: 'count' | 'id'): NonNullable<OptionRow['apply']> {
  return (_settings, value, option) => {
    const wanted = what === 'count' ? 1 : 0;
    if (Number(value) === wanted) return;
    throw new PollwireError(
      'OPTION_VALUE',
      `${option}=${value}: sharing ports between processes is not supported; leave it out or use ${wanted}.`,
    );
  };
}

export const runOptions: readonly OptionRow[] = [
  {
    name: 'interactive',
    short: 'i',
    help: 'prompt for commands',
    apply: (s) => {
      s.interactive = true;
    },
  },
  {
    name: 'auto-start',
    short: 'a',
    help: 'start forwarding at once (always so without a prompt)',
    apply: (s) => {
      s.autoStart = true;
    },
  },
  {
    name: 'tx-first',
    help: 'send one burst per stream before forwarding (without a prompt)',
    apply: (s) => {
      s.txFirst = true;
    },
  },
  {
    name: 'cmdline-file',
    value: 'FILE',
    help: 'run the commands in FILE first, printing each',
    apply: (s, path) => void s.commandFiles.push({ path, echo: true }),
  },
  {
    name: 'cmdline-file-noecho',
    value: 'FILE',
    help: 'the same without printing the commands',
    apply: (s, path) => void s.commandFiles.push({ path, echo: false }),
  },
  {
    name: 'forward-mode',
    value: 'MODE',
    help: `forwarding engine: ${ENGINE_NAMES.join(', ')}`,
    apply: (s, value, option) => {
      s.engine = oneOf(option, value, ENGINE_NAMES);
    },
  },
  {
    name: 'stats-period',
    value: 'SECONDS',
    help: 'print port statistics every SECONDS (without a prompt)',
    apply: (s, value, option) => {
      s.statsPeriod = integer(option, value, 0, 86_400);
    },
  },
  {
    name: 'display-xstats',
    value: 'NAME[,NAME]*',
    help: 'extended statistics to add to each statistics screen',
    apply: (s, value, option) => {
      const names = value.split(',').filter((name) => name !== '');
      if (names.length === 0) throw new PollwireError('OPTION_VALUE', `${option} needs at least one name.`);
      s.displayXstats = names;
    },
  },
  {
    name: 'nb-cores',
    value: 'N',
    help: 'number of forwarding lcores (default 1)',
    apply: (s, value, option) => {
      s.nbCores = integer(option, value, 1, 128);
    },
  },
  {
    name: 'coremask',
    value: 'MASK',
    help: 'forwarding lcores as a hexadecimal mask; the main lcore cannot be among them',
    apply: (s, value, option) => {
      s.coreList = maskBits(option, value);
      s.nbCores = s.coreList.length;
    },
  },
  {
    name: 'idle',
    value: IDLE_MODES.join('|'),
    help: 'what a forwarding lcore does without packets (default spin; an addition to DPDK)',
    apply: (s, value, option) => {
      s.idle = oneOf(option, value, IDLE_MODES);
    },
  },
  {
    name: 'record-core-cycles',
    help: 'measure CPU cycles per packet',
    apply: (s) => {
      s.recordCycles = true;
    },
  },
  {
    name: 'record-burst-stats',
    help: 'count how many packets each burst carries',
    apply: (s) => {
      s.recordBursts = true;
    },
  },
  {
    name: 'print-event',
    value: 'EVENT|all',
    help: `print this port event: ${Object.keys(EVENT_TEXTS).join(', ')}`,
    apply: (s, value, option) => {
      for (const name of events(value, option)) s.printEvents.add(name);
    },
  },
  {
    name: 'mask-event',
    value: 'EVENT|all',
    help: 'do not print this port event',
    apply: (s, value, option) => {
      for (const name of events(value, option)) s.printEvents.delete(name);
    },
  },
  { name: 'num-procs', value: 'N', help: 'only 1 is possible', apply: onlyOneProcess('count') },
  { name: 'proc-id', value: 'ID', help: 'only 0 is possible', apply: onlyOneProcess('id') },
];
