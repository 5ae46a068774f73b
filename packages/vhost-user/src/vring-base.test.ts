/** Ring positions as they travel, split and packed. */
import { describe, expect, it } from 'vitest';
import { packVringBase, splitVringBase, unpackVringBase } from './vring-base.js';

describe('vring base', () => {
  it('of a split ring is 16 bits', () => {
    expect(splitVringBase(65_535)).toBe(65_535);
    expect(splitVringBase(0x1_0005)).toBe(5);
  });

  it('of a packed ring goes there and back', () => {
    for (const availIndex of [0, 1, 0x7fff]) {
      for (const usedIndex of [1, 0x7ffe]) {
        const position = { availIndex, availWrap: true, usedIndex, usedWrap: false };
        expect(unpackVringBase(packVringBase(position))).toEqual(position);
      }
    }
    const high = { availIndex: 5, availWrap: false, usedIndex: 0x7fff, usedWrap: true };
    expect(packVringBase(high)).toBe(0xffff_0005);
  });

  it('of DPDK has no used half: it equals the avail half', () => {
    expect(unpackVringBase(0x8000)).toEqual({ availIndex: 0, availWrap: true, usedIndex: 0, usedWrap: true });
    expect(unpackVringBase(17)).toEqual({ availIndex: 17, availWrap: false, usedIndex: 17, usedWrap: false });
  });
});
