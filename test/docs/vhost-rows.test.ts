/** The table of rows in docs/vhost.md: every row is there once, and its test exists and names it. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repoRoot } from '../harness/paths.js';
import { tableRows } from './markdown.js';

/** What stands in place of a test, and nothing else may. */
const WITHOUT_TEST = /^(comes with zero-copy|advice: .+|not needed: .+)$/;

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
/** Crypto is A84 to A89, vDPA A107 to A120. */
const ROWS = [...numbers(12, 83), ...numbers(90, 106)].map((n) => `A${n}`);

/** Whether a text names a row, alone or within a range such as `A73 to A78`. */
function names(text: string, row: string): boolean {
  if (new RegExp(`\\b${row}\\b`).test(text)) return true;
  const number = Number(row.slice(1));
  return [...text.matchAll(/\bA(\d+) to A(\d+)\b/g)].some(([, from, to]) => {
    return Number(from) <= number && number <= Number(to);
  });
}

/** Titles and comments of a test file: what is not code. */
function words(file: string): string {
  const lines = readFileSync(join(repoRoot, file), 'utf8').split('\n');
  return lines
    .filter((line) => /^\s*(\/\*|\*|\/\/|[`'])|\b(it|describe|scenario|describePeer|TEST\w*)\b/.test(line))
    .join('\n');
}

describe('rows of docs/vhost.md', () => {
  const table = tableRows('docs/vhost.md', 'Row');

  it('are all there, once each, in order', () => {
    expect(table.map(([row]) => row)).toEqual(ROWS);
  });

  it('say what stands for them', () => {
    for (const [row, what, here, test = ''] of table) {
      expect(what, row).not.toBe('');
      if (!WITHOUT_TEST.test(test)) expect(here, row).not.toBe('');
    }
  });

  it('have a test that exists and names them', () => {
    const wrong: string[] = [];
    for (const [row = '', , , test = ''] of table) {
      if (WITHOUT_TEST.test(test)) continue;
      if (!existsSync(join(repoRoot, test))) wrong.push(`${row}: there is no ${test}`);
      else if (!names(words(test), row)) wrong.push(`${row}: ${test} does not name it`);
    }
    expect(wrong).toEqual([]);
  });
});
