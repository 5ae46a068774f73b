import { expect, it } from 'vitest';
import { threadExecArgv } from './exec-argv.js';

it.each([
  [[], []],
  [
    ['--enable-source-maps', '--expose-gc'],
    ['--enable-source-maps', '--expose-gc'],
  ],
  [['--input-type=module', '--no-warnings', '-e', 'code'], ['--no-warnings']],
  [['--input-type', 'module', '--eval=code'], []],
  [['-p', '--looks-like-an-option'], []],
])('%j', (given, kept) => {
  expect(threadExecArgv(given)).toEqual(kept);
});
