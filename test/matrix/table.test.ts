/** The table says what was run: green, failed, partly run, not run. And the axes are complete. */
import { expect, test } from 'vitest';
import type { BenchKind } from './bench.js';
import { expectNegotiated } from './bench.js';
import type { Ring } from './cells.js';
import { allRings, cellsOf, quickRings, ringName, segmentsOf } from './cells.js';
import type { Outcome } from './group.js';
import { matrixTable } from './table.js';

const open = () => Promise.reject(new Error('not opened here'));
const bench: BenchKind = { name: 'b', pairings: ['ours:dpdk'], needsDpdk: false, open };
const other: BenchKind = { name: 'c', pairings: ['ours:dpdk', 'one process'], needsDpdk: false, open };
const ring = allRings[0] as Ring;
const outcomes = (of: BenchKind, fault?: number): Outcome[] =>
  cellsOf(ring).map((cell, index) => ({
    ...cell,
    bench: of,
    evidence: { packets: 1, bytes: 64 },
    ...(index === fault ? { fault: 'lost' } : {}),
  }));
const count = (text: string, word: string) => text.split(word).length - 1;
const needed = (pairing: string) => (pairing === 'ours:dpdk' ? 2 : 1);

test('a cell is green when every bench of its pairing is', () => {
  const { text, cells, green } = matrixTable([ring], [...outcomes(bench), ...outcomes(other)], needed);
  expect([cells, green]).toEqual([16, 16]);
  expect(count(text, ' ok')).toBe(16);
});

test('one fault and one bench that did not run are not green', () => {
  const failed = matrixTable([ring], [...outcomes(bench, 3), ...outcomes(other)], needed);
  expect([failed.cells, failed.green, count(failed.text, 'FAILED')]).toEqual([16, 15, 1]);
  const partly = matrixTable([ring], outcomes(bench), needed);
  expect([partly.cells, partly.green, count(partly.text, 'partly run')]).toEqual([8, 0, 8]);
});

test('all combinations once, and each value of each axis with either format in the quick form', () => {
  expect(new Set(allRings.map(ringName)).size).toBe(16);
  for (const packed of [false, true]) {
    const quick = quickRings.filter((one) => one.packed === packed);
    expect(new Set(quick.map((one) => one.mergeable)).size).toBe(2);
    expect(new Set(quick.map((one) => one.inOrder)).size).toBe(2);
    expect(new Set(quick.map((one) => one.queues))).toEqual(new Set([1, 2]));
  }
});

test('long frames are cut, and nothing of them is lost', () => {
  expect(segmentsOf(64)).toEqual([64]);
  expect(segmentsOf(9000)).toEqual([1800, 1800, 1800, 1800, 1800]);
  expect(segmentsOf(3601)).toEqual([1201, 1200, 1200]);
});

test('what was not negotiated, or was against the wish, is named', () => {
  const split: Ring = { packed: false, mergeable: true, inOrder: false, queues: 1 };
  expect(() => expectNegotiated('p', 'VIRTIO_F_VERSION_1, VIRTIO_NET_F_MRG_RXBUF', split)).not.toThrow();
  expect(() => expectNegotiated('p', 'VIRTIO_F_VERSION_1', split)).toThrow(/MRG_RXBUF is not negotiated/);
  const packed = 'VIRTIO_F_VERSION_1, VIRTIO_NET_F_MRG_RXBUF, VIRTIO_F_RING_PACKED';
  expect(() => expectNegotiated('p', packed, split)).toThrow(/VIRTIO_F_RING_PACKED is negotiated/);
});
