import { expect, it } from 'vitest';
import { didYouMean, editDistance, sentenceList, suggest } from './suggest.js';

it.each([
  ['', '', 0],
  ['iface', 'iface', 0],
  ['ifase', 'iface', 1],
  ['ifcae', 'iface', 1],
  ['queue', 'queues', 1],
  ['', 'abc', 3],
  ['kitten', 'sitting', 3],
])('counts edits between %j and %j', (a, b, distance) => {
  expect(editDistance(a, b)).toBe(distance);
});

it('stops counting beyond the limit', () => {
  expect(editDistance('aaaaaaaa', 'bbbbbbbb', 2)).toBeGreaterThan(2);
});

it('suggests the nearest word and ignores case', () => {
  expect(suggest('IFASE', ['client', 'iface', 'queues'])).toBe('iface');
});

it('suggests nothing when no word is near', () => {
  expect(suggest('bogus', ['client', 'iface', 'queues'])).toBeUndefined();
  expect(didYouMean('bogus', ['client'])).toBe('');
});

it('makes lists for sentences', () => {
  expect([[], ['a'], ['a', 'b'], [1, 2, 3]].map((words) => sentenceList(words))).toEqual([
    'none',
    'a',
    'a and b',
    '1, 2 and 3',
  ]);
});
