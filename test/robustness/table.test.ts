/** The table of hostile inputs is whole, its proofs exist, and the documentation page is made of it. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { flavourDir } from '@pollwire/tools/lib/flavours';
import { describe, expect, it } from 'vitest';
import { repoRoot } from '../harness/paths.js';
import { CASES } from './cases/index.js';
import { makePage, PAGE } from './page.js';
import { readRows } from './rows.js';
import { formatsOf, nameOf } from './run-case.js';
import type { Result } from './score.js';
import { scoreTable, shortfalls, standing } from './score.js';

const rows = readRows();
const packages = join(repoRoot, 'packages');

describe('the table', () => {
  it('has rows 1 to 158, once each and in order', () => {
    expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 158 }, (_, i) => i + 1));
  });

  it('has a proof or a word on what is open for every row', () => {
    const bare = rows.filter(
      ({ id, proofs, open }) => proofs.length === 0 && open === '' && !CASES.some(({ row }) => row === id),
    );
    expect(bare).toEqual([]);
  });

  it('names unit tests that exist', () => {
    const proofs = rows.flatMap((row) => row.proofs.filter(({ kind }) => kind === 'unit'));
    const missing = proofs.filter(({ file, name }) => {
      const path = readdirSync(packages)
        .map((one) => join(packages, one, 'src', `${file}.ts`))
        .find((one) => existsSync(one));
      return path === undefined || !readFileSync(path, 'utf8').includes(name);
    });
    expect(missing).toEqual([]);
  });

  const program = join(flavourDir('checked'), 'native_tests');
  it.skipIf(!existsSync(program))('names C++ tests that exist', () => {
    const missing = rows.flatMap((row) =>
      row.proofs
        .filter(({ kind, name }) => {
          if (kind !== 'cpp') return false;
          const { stdout } = spawnSync(program, ['--gtest_list_tests', `--gtest_filter=${name}`]);
          return !/^ {2}\S/m.test(String(stdout));
        })
        .map(({ name }) => name),
    );
    expect(missing).toEqual([]);
  });

  it('is what the documentation page shows', () => {
    const page = readFileSync(join(repoRoot, PAGE), 'utf8');
    expect(page, 'run npm run hostile -- --write').toBe(makePage());
  });
});

describe('the cases of the socket harness', () => {
  it('are of rows that there are and can be reached', () => {
    const reachable = new Set(rows.filter(({ offered }) => offered).map(({ id }) => id));
    expect(CASES.filter(({ row }) => !reachable.has(row)).map(({ row, what }) => `${row} ${what}`)).toEqual(
      [],
    );
  });

  it('have names of their own', () => {
    const names = CASES.flatMap((test) => formatsOf(test).map((format) => nameOf(test, format)));
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('the score', () => {
  const row = rows.find(({ id }) => id === 143) as (typeof rows)[0];
  const result = (format: 'split' | 'packed', problem = ''): Result => {
    return { row: 143, name: 'a case', sides: ['driver'], formats: [format], problem };
  };

  it('counts a row where it applies, and only what was shown', () => {
    const cell = { format: 'split', side: 'driver' } as const;
    expect(standing(row, cell, [])).toBe('open');
    expect(standing(row, cell, [result('packed')])).toBe('open');
    expect(standing(row, cell, [result('split')])).toBe('proven');
    expect(standing(row, cell, [result('split'), result('split', 'broken')])).toBe('failed');
    expect(standing(row, { format: 'split', side: 'device' }, [result('split')])).toBe('does not apply');
  });

  it('prints a line for each component, and one for each row that falls short', () => {
    const results = [result('split'), result('packed', 'two lines\nof it')];
    expect(scoreTable([row], results)).toMatch(/all +- +- +1\/1 +0\/1$/);
    expect(shortfalls([row], results)).toEqual([
      `  143 ${row.setup}: ${row.action} (packed driver: failed)\n      a case: two lines`,
    ]);
  });
});
