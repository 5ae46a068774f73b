import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { OPTION_FAMILIES, optionHelp, parseOptions } from './options.js';
import { defaultSettings } from './settings.js';

const settings = (...argv: string[]) => parseOptions(argv).settings;

it('starts from DPDK defaults', () => {
  const s = settings();
  expect([
    s.engine,
    s.burst,
    s.nbCores,
    s.topology,
    s.rxq,
    s.txq,
    s.mbufSizes,
    s.mbufCache,
    s.interactive,
  ]).toEqual(['io', 32, 1, 'paired', 1, 1, [2176], 250, false]);
  expect([s.retryDelayUs, s.retryCount, s.traffic.segments, s.traffic.flowgenFlows]).toEqual([
    1,
    64,
    [64],
    1024,
  ]);
});

describe('spelling', () => {
  it.each([
    ['--burst=16', ['--burst=16']],
    ['--burst 16', ['--burst', '16']],
    ['hexadecimal', ['--burst=0x10']],
  ])('%s', (_name, argv) => {
    expect(settings(...argv).burst).toBe(16);
  });

  it('knows the short forms, and repeated options', () => {
    const s = settings('-i', '-a', '--eth-peer=0,02:00:00:00:00:AA', '--eth-peer', '1,02-00-00-00-00-bb');
    expect([s.interactive, s.autoStart]).toEqual([true, true]);
    expect([...s.ethPeers]).toEqual([
      [0, '02:00:00:00:00:AA'],
      [1, '02:00:00:00:00:BB'],
    ]);
  });

  it.each([
    [['--brust=4'], "Unknown option '--brust'; did you mean '--burst'?"],
    [['--xyzzy'], "Unknown option '--xyzzy'; -h lists them."],
    [['-z'], "Unknown argument '-z'; long options start with two dashes, and -h lists them."],
    [['start'], "Unknown argument 'start'; every argument is an option, and -h lists them."],
    [['--burst'], '--burst needs a value: --burst=N.'],
    [['--tx-first=1'], "--tx-first takes no value; '1' was given."],
    [['--burst=0'], "--burst must be a whole number from 1 to 512, not '0'."],
    [['--burst=513'], "not '513'"],
    [['--rxq=0'], '--rxq must be a whole number from 1 to 128'],
    [['--total-num-mbufs=1024'], '--total-num-mbufs must be a whole number from 1025'],
    [['--forward-mode=foo'], '--forward-mode must be one of io, mac, macswap'],
    [['--port-topology=star'], '--port-topology must be one of paired, chained, loop'],
    [['--eth-peer=0'], '--eth-peer needs a port and a MAC address'],
    [['--eth-peer=0,zz'], "'zz' is not a MAC address"],
    [['--portmask=0'], '--portmask has no bit set.'],
    [['--tx-ip=1.2.3.4'], '--tx-ip needs a source and a destination'],
    [['--num-procs=2'], 'sharing ports between processes is not supported'],
    [['--print-event=bogus'], '--print-event must be one of unknown, intr_lsc'],
    [['-i', '--tx-first'], '--tx-first cannot be used with a prompt'],
    [['--nb-ports=1', '--portlist=0'], 'use one of them'],
    [['--flowgen-clones=32'], '--flowgen-clones=32 must be less than --burst=32'],
    [['--eth-peers-configfile=/nonexistent/x'], 'cannot read /nonexistent/x'],
    [['--rx-offloads=zz'], '--rx-offloads must be a hexadecimal mask'],
    [['--noisy-forward-mode=csum'], '--noisy-forward-mode must be one of io, mac, macswap, 5tswap'],
    [['--hairpinq=1'], 'no driver here has hairpin queues'],
  ])('refuses %j in one line', (argv, message) => {
    let text = '';
    try {
      parseOptions(argv);
    } catch (error) {
      text = (error as Error).message;
    }
    expect(text).toContain(message);
    expect(text).not.toContain('\n');
  });
});

describe('values', () => {
  it('reads ports, queues and mbufs', () => {
    const s = settings(
      ...['--portlist=2,0-1', '--port-topology=chain', '--rxq=4', '--txq=4', '--rxd=256', '--txd=512'],
      ...[
        '--mbuf-size=2176,4096',
        '--total-num-mbufs=2048',
        '--mbcache=0',
        '--max-pkt-len=9018',
        '--no-flush-rx',
      ],
    );
    expect([s.portList, s.topology, s.rxq, s.txq, s.rxd, s.txd]).toEqual([
      [2, 0, 1],
      'chained',
      4,
      4,
      256,
      512,
    ]);
    expect([s.mbufSizes, s.totalMbufs, s.mbufCache, s.maxPktLen, s.flushRx]).toEqual([
      [2176, 4096],
      2048,
      0,
      9018,
      false,
    ]);
  });

  it('reads masks of ports and lcores', () => {
    const s = settings('--portmask=0x5', '--coremask=6');
    expect([s.portList, s.coreList, s.nbCores]).toEqual([[0, 2], [1, 2], 2]);
  });

  it('reads generated traffic', () => {
    const { traffic } = settings(
      '--txpkts=64,128',
      '--txonly-multi-flow',
      '--tx-ip=10.0.0.1,10.0.0.2',
      '--tx-udp=7',
    );
    expect([traffic.segments, traffic.multiFlow, traffic.ipSource, traffic.ipDestination]).toEqual([
      [64, 128],
      true,
      '10.0.0.1',
      '10.0.0.2',
    ]);
    expect([traffic.udpSource, traffic.udpDestination]).toEqual([7, 7]);
  });

  it('adds up offloads', () => {
    expect(settings('--enable-rx-cksum', '--enable-hw-vlan-strip').rxOffloads).toBe(0xf);
    expect(settings('--tx-offloads=0x8000').txOffloads).toBe(0x8000);
  });

  it('prints all events but the quiet ones, and obeys masks', () => {
    const events = settings('--mask-event=intr_lsc', '--print-event=dev_probed').printEvents;
    expect([
      events.has('intr_lsc'),
      events.has('queue_state'),
      events.has('dev_probed'),
      events.has('dev_released'),
    ]).toEqual([false, true, true, false]);
    expect(settings('--mask-event=all').printEvents.size).toBe(0);
  });

  it('reads peers from a file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'peers-'));
    const file = join(folder, 'peers');
    writeFileSync(file, '# peers\n02:00:00:00:00:01\r\n\n02:00:00:00:00:02\n');
    try {
      expect([...settings(`--eth-peers-configfile=${file}`).ethPeers]).toEqual([
        [0, '02:00:00:00:00:01'],
        [1, '02:00:00:00:00:02'],
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

it('accepts what has nothing to act on here, with one note for all', () => {
  const { settings: s, notes } = parseOptions(['--no-numa', '--rxpt=8', '--socket-num', '0', '--rxpt=4']);
  expect(notes).toEqual(['Accepted without effect: --no-numa, --rxpt, --socket-num.']);
  expect(s).toEqual(defaultSettings());
});

it('has every name once, and lists every one in the help', () => {
  const names = OPTION_FAMILIES.flatMap(({ rows }) => rows.map((row) => row.name));
  expect(new Set(names).size).toBe(names.length);
  const help = optionHelp();
  for (const name of names) expect(help).toContain(`--${name}`);
  expect(parseOptions(['--help', '--flowgen-clones=40']).help).toBe(true);
});
