import { describe, expect, it } from 'vitest';
import { checkCpus, defaultLcores, formatRanges, parseCoremask, parseLcoreList } from './lcore-list.js';

const short = (text: string) =>
  parseLcoreList(text)
    .map(({ id, cpus }) => `${id}@${formatRanges(cpus)}`)
    .join(' ');

describe('lists', () => {
  it.each([
    ['0', '0@0'],
    ['0-3', '0@0 1@1 2@2 3@3'],
    ['3-1', '1@1 2@2 3@3'],
    ['0,2,5-6', '0@0 2@2 5@5 6@6'],
    ['0@0,1@1', '0@0 1@1'],
    ['0@3', '0@3'],
    ['(0,1)@0', '0@0 1@0'],
    ['(0-2)', '0@0-2 1@0-2 2@0-2'],
    ['1,2@(5-7),(3-5)@(0,2),(0,6),7-8', '1@1 2@5-7 3@0,2 4@0,2 5@0,2 0@0,6 6@0,6 7@7 8@8'],
  ])('%s', (text, expected) => {
    expect(short(text)).toBe(expected);
  });

  it.each([
    ['', 'an empty element'],
    ['0,,1', 'an empty element'],
    ['a', "'a' is not a number or a range"],
    ['0-', "'0-' is not a number or a range"],
    ['0@1@2', 'has two @'],
    ['(0,1', 'the parentheses do not match'],
    ['0)', 'the parentheses do not match'],
    ['0,0', 'lcore 0 is named twice'],
    ['128', 'lcore 128 is too large; 127 is the highest'],
    ['0-9999999', '9999999 is too large'],
  ])('refuses %j', (text, why) => {
    expect(() => parseLcoreList(text)).toThrow(
      expect.objectContaining({ code: 'LCORE_LIST', message: expect.stringContaining(why) }),
    );
  });
});

describe('masks', () => {
  it.each([
    ['3', [0, 1]],
    ['0xA', [1, 3]],
    ['80000000000000000', [67]],
  ])('%s', (text, ids) => {
    expect(parseCoremask(text).map(({ id }) => id)).toEqual(ids);
  });

  it.each([
    ['0', 'the mask is empty'],
    ['xyz', 'not a hexadecimal mask'],
    ['1'.padEnd(34, '0'), 'too large'],
  ])('refuses %j', (text, why) => {
    expect(() => parseCoremask(text)).toThrow(why);
  });
});

it('has one lcore per CPU by default, and two on a machine with one', () => {
  expect(defaultLcores([2, 3]).map(({ id, cpus }) => [id, cpus])).toEqual([
    [2, [2]],
    [3, [3]],
  ]);
  expect(defaultLcores([0]).map(({ id, cpus }) => [id, cpus])).toEqual([
    [0, [0]],
    [1, [0]],
  ]);
});

it('names lcores without a CPU, what exists, and what to type', () => {
  expect(() => checkCpus(parseLcoreList('0-3'), [0, 1])).toThrow(
    expect.objectContaining({
      code: 'LCORE_CPU',
      message:
        'Lcore 2 and 3 have no CPU here: only CPUs 0-1 are usable. ' +
        "Type -l 0-1, or let lcores share CPUs with --lcores '0@0,1@1,2@0,3@1'.",
    }),
  );
});

it('accepts lcores that share a CPU', () => {
  expect(() => checkCpus(parseLcoreList('(0-3)@1'), [0, 1])).not.toThrow();
});
