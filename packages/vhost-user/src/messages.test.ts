/** The tables themselves: numbers, names, columns that fit together. */
import { describe, expect, it } from 'vitest';
import { BACKEND_REQUESTS, FRONTEND_REQUESTS, featureMask, rowById } from './messages.js';
import { CODECS } from './payload-codecs.js';

const tables = { frontend: FRONTEND_REQUESTS, backend: BACKEND_REQUESTS } as const;

describe('message tables', () => {
  it('have every number once, without gaps', () => {
    expect(Object.values(FRONTEND_REQUESTS).map((row) => row.id)).toEqual(
      Array.from({ length: 44 }, (_, i) => i + 1),
    );
    expect(Object.values(BACKEND_REQUESTS).map((row) => row.id)).toEqual(
      Array.from({ length: 10 }, (_, i) => i + 1),
    );
  });

  it('find a row by number, and none outside', () => {
    for (const [direction, rows] of Object.entries(tables) as [
      'frontend' | 'backend',
      typeof FRONTEND_REQUESTS,
    ][]) {
      for (const row of Object.values(rows)) {
        expect(rowById(direction, row.id)).toBe(row);
      }
      for (const id of [0, Object.keys(rows).length + 1, 0x7fff_ffff, 0xffff_ffff]) {
        expect(rowById(direction, id)).toBeUndefined();
      }
    }
  });

  it('name only payloads and features that exist, and sensible descriptor ranges', () => {
    for (const row of [...Object.values(FRONTEND_REQUESTS), ...Object.values(BACKEND_REQUESTS)]) {
      expect(CODECS[row.payload]).toBeDefined();
      expect(row.fds.min).toBeLessThanOrEqual(row.fds.max);
      expect(featureMask(row) === 0n).toBe(row.feature === undefined);
    }
  });

  it('quiesce by ring only where a ring is named', () => {
    for (const row of Object.values(FRONTEND_REQUESTS)) {
      expect([row.quiesce, row.ring], row.name).not.toEqual(['ring', 'none']);
    }
  });
});
