/** Rows A22 to A26 of docs/vhost.md. */
import { describe, expect, it } from 'vitest';
import { ealHelp, parseEalArgs } from './eal-args.js';

const words = (line: string) => line.split(' ').filter((word) => word !== '');

it('reads the documented command line', () => {
  const parsed = parseEalArgs([
    ...words('-l 0-3 -n 4 --vdev'),
    'net_vhost0,iface=/tmp/sock0,queues=1',
    '--',
    '-i',
  ]);
  expect(parsed.options).toMatchObject({ lcores: '0-3', vdevs: ['net_vhost0,iface=/tmp/sock0,queues=1'] });
  expect(parsed.rest).toEqual(['-i']);
  expect(parsed.notes).toEqual(['-n (memory channels) has no effect in Pollwire.']);
});

it.each([
  ['-l0-1', { lcores: '0-1' }],
  ['--lcores=0@0', { lcores: '0@0' }],
  ['-c 0x3', { coremask: '0x3' }],
  ['--main-lcore 1', { mainLcore: 1 }],
  ['-m 64', { memory: 64 }],
  ['-m64', { memory: 64 }],
  ['--socket-mem 64,32', { memory: 96 }],
  ['--socket-mem=64,', { memory: 64 }],
  ['--no-huge', { huge: 'never' }],
  ['--file-prefix=a', { filePrefix: 'a' }],
  ['-d ./a.js -d b', { drivers: ['./a.js', 'b'] }],
  ['--vdev net_null0 --vdev=net_null1', { vdevs: ['net_null0', 'net_null1'] }],
  ['--log-level=pmd.net.*:debug --log-level 7', { logLevels: ['pmd.net.*:debug', '7'] }],
])('reads %s', (line, options) => {
  expect(parseEalArgs(words(line)).options).toMatchObject(options);
});

it('accepts silently what happens anyway, and with a note what has no meaning', () => {
  const parsed = parseEalArgs(
    words('--in-memory --single-file-segments --no-pci --iova-mode=va -a 0000:01:00.0 --syslog'),
  );
  expect(parsed.notes.map((note) => note.split(' ')[0])).toEqual(['--iova-mode', '-a', '--syslog']);
});

it('knows help and version', () => {
  expect(parseEalArgs(['-h']).help).toBe(true);
  expect(parseEalArgs(['--version']).version).toBe(true);
  expect(ealHelp()).toMatch(/^ {2}--vdev DEVARGS +attach a virtual device/m);
  expect(ealHelp()).not.toContain('--iova-mode');
});

it('leaves everything behind -- alone', () => {
  expect(parseEalArgs(['--', '-l', '--bogus', '--']).rest).toEqual(['-l', '--bogus', '--']);
});

describe('refuses', () => {
  it.each([
    ['--vdve=x', 'EAL_OPTION', "Unknown EAL option '--vdve'; did you mean '--vdev'?"],
    ['--rxq=1', 'EAL_OPTION', "Unknown EAL option '--rxq'; options of the application go behind '--'."],
    [
      'stray',
      'EAL_OPTION',
      "Unexpected word 'stray' among the EAL options; options of the application go behind '--'.",
    ],
    ['-l', 'EAL_ARGUMENT', '-l needs a value: -l LIST.'],
    ['--no-pci=1', 'EAL_ARGUMENT', "--no-pci takes no value; remove '1'."],
    ['-m lots', 'EAL_ARGUMENT', '-m lots: expected a number from 16 to 4096.'],
    ['-m 8', 'EAL_ARGUMENT', '-m 8: expected a number from 16 to 4096.'],
    ['-l 0 -c 1', 'EAL_ARGUMENT', 'Both -c and a list of lcores are given; keep one of -c, -l and --lcores.'],
  ])('%s', (line, code, message) => {
    expect(() => parseEalArgs(words(line))).toThrow(expect.objectContaining({ code, message }));
  });
});
