/**
 * EAL command line: everything before `--`, in DPDK's spelling, into EalOptions. Pure. Called by Eal.init with a string array and by
 * testpmd. Options that have no meaning here are accepted with a note, so that DPDK's manuals and scripts apply.
 */
import { PollwireError } from '@pollwire/native';
import type { DevargsObject } from './devargs.js';
import { didYouMean, endSentence } from './suggest.js';

/** What Eal.init takes. Every field is optional. */
export interface EalOptions {
  /** Argument of -l or --lcores: '0-3', '0@0,1@1'. Default: every usable CPU. */
  lcores?: string | undefined;
  /** Argument of -c: '0xf'. */
  coremask?: string | undefined;
  /** Lcore of this thread. Default: the first of the list. */
  mainLcore?: number | undefined;
  /** Arena size in MiB, 16 to 4096. Default 256. */
  memory?: number | undefined;
  /** Hugepages: use when free ones exist, never ask, or fail without. Default 'auto'. */
  huge?: 'auto' | 'never' | 'require' | undefined;
  /** Distinguishes run-time files of several programs. Default 'pollwire'. */
  filePrefix?: string | undefined;
  /** Heap limit of each worker lcore in MiB, 8 or more. Default: Node's own. */
  lcoreHeap?: number | undefined;
  /** Devices to attach at init. */
  vdevs?: readonly (string | DevargsObject)[] | undefined;
  /** Drivers, or modules that export one (specifier or path). */
  drivers?: readonly unknown[] | undefined;
  /** Arguments of --log-level, applied in order: 'debug', 'pmd.net.*:info'. */
  logLevels?: readonly string[] | undefined;
}

export interface ParsedEalArgs {
  options: EalOptions;
  /** What follows `--`. */
  rest: string[];
  /** One sentence per option that was accepted without effect. */
  notes: string[];
  /** -h or --help was given. */
  help: boolean;
  /** -v or --version was given. */
  version: boolean;
}

interface State extends ParsedEalArgs {
  options: EalOptions & { vdevs: string[]; drivers: string[]; logLevels: string[] };
}

interface Option {
  names: readonly string[];
  /** Name of the argument in the help text; absent = takes none. */
  arg?: string;
  help: string;
  /** What to do; absent = accepted without effect. */
  apply?: (state: State, value: string) => void;
  /** Without effect and not worth a note (it asks for what happens anyway). */
  quiet?: true;
}

function number(option: string, value: string, min: number, max: number): number {
  const parsed = /^(0x[0-9a-f]+|\d+)$/i.test(value) ? Number(value) : Number.NaN;
  if (parsed >= min && parsed <= max) return parsed;
  throw new PollwireError('EAL_ARGUMENT', `${option} ${value}: expected a number from ${min} to ${max}.`);
}

/** --socket-mem 256,0: one number per NUMA node; there is one arena, so they are added up. */
function socketMemory(value: string): number {
  const total = value
    .split(',')
    .reduce((sum, part) => sum + number('--socket-mem', part.trim() || '0', 0, 4096), 0);
  return number('--socket-mem', String(total), 16, 4096);
}

/** The table behind parser, help and did-you-mean. */
const OPTIONS: readonly Option[] = [
  {
    names: ['-l'],
    arg: 'LIST',
    help: 'lcores to use, such as 0-3,8',
    apply: (s, v) => {
      s.options.lcores = v;
    },
  },
  {
    names: ['--lcores'],
    arg: 'MAP',
    help: "lcores and their CPUs, such as '0@0,(1,2)@1'",
    apply: (s, v) => {
      s.options.lcores = v;
    },
  },
  {
    names: ['-c'],
    arg: 'MASK',
    help: 'lcores as a hexadecimal mask',
    apply: (s, v) => {
      s.options.coremask = v;
    },
  },
  {
    names: ['--main-lcore'],
    arg: 'ID',
    help: 'lcore of the main thread',
    apply: (s, v) => {
      s.options.mainLcore = number('--main-lcore', v, 0, 127);
    },
  },
  {
    names: ['-m'],
    arg: 'MB',
    help: 'arena size in MiB (default 256)',
    apply: (s, v) => {
      s.options.memory = number('-m', v, 16, 4096);
    },
  },
  {
    names: ['--socket-mem', '--numa-mem'],
    arg: 'MB[,MB]',
    help: 'arena size in MiB, per NUMA node (added up)',
    apply: (s, v) => {
      s.options.memory = socketMemory(v);
    },
  },
  {
    names: ['--no-huge'],
    help: 'do not ask for hugepages',
    apply: (s) => {
      s.options.huge = 'never';
    },
  },
  {
    names: ['--file-prefix'],
    arg: 'NAME',
    help: 'prefix of run-time files',
    apply: (s, v) => {
      s.options.filePrefix = v;
    },
  },
  {
    names: ['--vdev'],
    arg: 'DEVARGS',
    help: 'attach a virtual device; may be repeated',
    apply: (s, v) => {
      s.options.vdevs.push(v);
    },
  },
  {
    names: ['-d'],
    arg: 'MODULE',
    help: 'load a driver module; may be repeated',
    apply: (s, v) => {
      s.options.drivers.push(v);
    },
  },
  {
    names: ['--log-level'],
    arg: '[TYPE:]LEVEL',
    help: 'log threshold, for all types or those that match',
    apply: (s, v) => {
      s.options.logLevels.push(v);
    },
  },
  {
    names: ['-v', '--version'],
    help: 'print the version and exit',
    apply: (s) => {
      s.version = true;
    },
  },
  {
    names: ['-h', '--help'],
    help: 'print this help and exit',
    apply: (s) => {
      s.help = true;
    },
  },
  { names: ['--in-memory'], help: 'no files are made', quiet: true },
  { names: ['--single-file-segments'], help: 'one file for all memory', quiet: true },
  { names: ['--no-pci'], help: 'no PCI devices', quiet: true },
  { names: ['--no-telemetry'], help: 'no telemetry socket', quiet: true },
  { names: ['--no-shconf'], help: 'no shared configuration file', quiet: true },
  { names: ['-n'], arg: 'CHANNELS', help: 'memory channels' },
  { names: ['-r'], arg: 'RANKS', help: 'memory ranks' },
  { names: ['-s'], arg: 'MASK', help: 'service cores' },
  { names: ['-S'], arg: 'LIST', help: 'service cores' },
  { names: ['-a', '--allow', '-w'], arg: 'PCI', help: 'allow a PCI device' },
  { names: ['-b', '--block'], arg: 'PCI', help: 'block a PCI device' },
  { names: ['--huge-dir'], arg: 'DIR', help: 'hugetlbfs directory' },
  { names: ['--huge-unlink'], arg: '?', help: 'unlink hugepage files' },
  { names: ['--huge-worker-stack'], arg: '?', help: 'stacks on hugepages' },
  { names: ['--legacy-mem'], help: 'DPDK memory mode' },
  { names: ['--match-allocations'], help: 'DPDK memory mode' },
  { names: ['--socket-limit'], arg: 'MB', help: 'memory limit per NUMA node' },
  { names: ['--base-virtaddr'], arg: 'ADDRESS', help: 'where to map memory' },
  { names: ['--iova-mode'], arg: 'pa|va', help: 'IO address mode' },
  { names: ['--proc-type'], arg: 'TYPE', help: 'primary or secondary process' },
  { names: ['--telemetry'], help: 'telemetry socket' },
  { names: ['--force-max-simd-bitwidth'], arg: 'BITS', help: 'SIMD width' },
  { names: ['--mbuf-pool-ops-name'], arg: 'NAME', help: 'mempool implementation' },
  { names: ['--syslog'], arg: '?', help: 'log to syslog' },
  { names: ['--log-color'], arg: '?', help: 'coloured log' },
  { names: ['--log-timestamp'], arg: '?', help: 'log with time' },
  { names: ['--no-hpet'], help: 'no HPET timer' },
  { names: ['--vmware-tsc-map'], help: 'VMware TSC' },
  { names: ['--vfio-intr'], arg: 'MODE', help: 'VFIO interrupts' },
  { names: ['--vfio-vf-token'], arg: 'UUID', help: 'VFIO token' },
  { names: ['--create-uio-dev'], help: 'UIO devices' },
  { names: ['--trace'], arg: 'PATTERN', help: 'trace points' },
  { names: ['--trace-dir'], arg: 'DIR', help: 'trace points' },
  { names: ['--trace-bufsz'], arg: 'SIZE', help: 'trace points' },
  { names: ['--trace-mode'], arg: 'MODE', help: 'trace points' },
];

const BY_NAME = new Map(OPTIONS.flatMap((option) => option.names.map((name) => [name, option] as const)));

/** '-l0-3' and '--vdev=x' carry their value; returns name and value, value undefined when it is the next word. */
function split(word: string): [name: string, value: string | undefined] {
  if (word.startsWith('--')) {
    const equals = word.indexOf('=');
    return equals < 0 ? [word, undefined] : [word.slice(0, equals), word.slice(equals + 1)];
  }
  return word.length > 2 ? [word.slice(0, 2), word.slice(2)] : [word, undefined];
}

/**
 * Parses `argv` (without interpreter and script) up to `--`. Throws EAL_OPTION for an unknown option (with a suggestion) or a stray word,
 * EAL_ARGUMENT for a missing or bad value.
 */
export function parseEalArgs(argv: readonly string[]): ParsedEalArgs {
  const end = argv.indexOf('--');
  const own = end < 0 ? argv : argv.slice(0, end);
  const state: State = {
    options: { vdevs: [], drivers: [], logLevels: [] },
    rest: end < 0 ? [] : argv.slice(end + 1),
    notes: [],
    help: false,
    version: false,
  };
  for (let i = 0; i < own.length; i++) {
    const word = own[i] as string;
    const [name, inline] = split(word);
    const option = BY_NAME.get(name);
    if (option === undefined) throw unknown(word, name);
    let value = inline;
    if (option.arg !== undefined && option.arg !== '?' && value === undefined) {
      value = own[++i];
      if (value === undefined)
        throw new PollwireError('EAL_ARGUMENT', `${name} needs a value: ${name} ${option.arg}.`);
    }
    if (option.arg === undefined && value !== undefined) {
      throw new PollwireError('EAL_ARGUMENT', `${name} takes no value; remove '${value}'.`);
    }
    if (option.apply !== undefined) option.apply(state, value ?? '');
    else if (option.quiet !== true) state.notes.push(`${name} (${option.help}) has no effect in Pollwire.`);
  }
  const { lcores, coremask } = state.options;
  if (lcores !== undefined && coremask !== undefined) {
    throw new PollwireError(
      'EAL_ARGUMENT',
      'Both -c and a list of lcores are given; keep one of -c, -l and --lcores.',
    );
  }
  return state;
}

function unknown(word: string, name: string): PollwireError {
  if (!word.startsWith('-')) {
    const message = `Unexpected word '${word}' among the EAL options; options of the application go behind '--'.`;
    return new PollwireError('EAL_OPTION', message);
  }
  const hint = didYouMean(name, BY_NAME.keys()) || "; options of the application go behind '--'";
  return new PollwireError('EAL_OPTION', endSentence(`Unknown EAL option '${name}'${hint}`));
}

/** Help text of the EAL options, one line each; those without effect are left out. */
export function ealHelp(): string {
  const rows = OPTIONS.filter((option) => option.apply !== undefined).map((option) => {
    const left = `${option.names.join(', ')}${option.arg === undefined ? '' : ` ${option.arg}`}`;
    return `  ${left.padEnd(28)} ${option.help}`;
  });
  return ['EAL options:', ...rows, ''].join('\n');
}
