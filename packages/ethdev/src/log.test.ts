import { expect, it } from 'vitest';
import { LogRoot, parseLogLevel } from './log.js';

function make(...levels: string[]) {
  const lines: string[] = [];
  const root = new LogRoot((line) => lines.push(line));
  for (const level of levels) root.configure(level);
  return { root, lines };
}

it('writes notice and above by default', () => {
  const { root, lines } = make();
  const log = root.logger('eal');
  log.notice('seen');
  log.info('not seen');
  log.error('bad');
  expect(lines).toEqual(['eal: seen', 'eal: bad']);
});

it.each([
  ['pmd.net.*:debug', 'pmd.net.vhost', true],
  ['pmd.net.*:debug', 'pmd.crypto', false],
  ['pmd\\.net,debug', 'pmd.net.vhost', true],
  ['8', 'eal', true],
  ['warning', 'eal', false],
])('%s lets a debug line of %s through: %s', (level, type, through) => {
  expect(make(level).root.enabled(type, 'debug')).toBe(through);
});

it('lets the last matching rule win', () => {
  const { root } = make('pmd.*:debug', 'pmd.net.vhost:error');
  expect(root.enabled('pmd.net.vhost', 'notice')).toBe(false);
  expect(root.enabled('pmd.net.null', 'debug')).toBe(true);
});

it('limits a line that repeats and counts what it left out', () => {
  const { root, lines } = make();
  const log = root.logger('eal');
  for (const now of [0, 10, 999, 1000]) log.limited('warning', 'bad-ring', 'bad ring', { now });
  log.limited('warning', 'other', 'other', { now: 1000 });
  expect(lines).toEqual(['eal: bad ring', 'eal: bad ring (2 more like this left out)', 'eal: other']);
});

it('lets several lines of a window through before it leaves any out', () => {
  const { root, lines } = make();
  const log = root.logger('eal');
  for (const now of [0, 1, 2, 3, 4, 50, 51]) {
    log.limited('warning', 'peer', `line at ${now}`, { milliseconds: 50, lines: 3, now });
  }
  expect(lines).toEqual([
    'eal: line at 0',
    'eal: line at 1',
    'eal: line at 2',
    'eal: line at 50 (2 more like this left out)',
    'eal: line at 51',
  ]);
});

it('refuses an unknown level with the ones there are', () => {
  expect(() => parseLogLevel('warnin')).toThrow("Unknown log level 'warnin'; did you mean 'warning'?");
  expect(() => parseLogLevel('9')).toThrow(expect.objectContaining({ code: 'LOG_LEVEL' }));
});
