import { describe, expect, it } from 'vitest';
import { internetChecksum, pattern } from '../fixtures/packets.js';
import { fold, setU16be, setU32be, sumBytes, swapBytes, u16be, u32be, updateChecksum } from './bytes.js';

it('reads and writes network order at any address', () => {
  const u8 = new Uint8Array(9);
  setU16be(u8, 1, 0xfffe);
  setU32be(u8, 3, 0xdeadbeef);
  expect([u16be(u8, 1), u32be(u8, 3)]).toEqual([0xfffe, 0xdeadbeef]);
  swapBytes(u8, 1, 5, 2);
  expect(u16be(u8, 5)).toBe(0xfffe);
});

describe('sums', () => {
  it.each([[0], [1], [2], [3], [64], [1499], [65_535]])('of %i bytes agree with RFC 1071', (length) => {
    const bytes = pattern(length, 5);
    expect(~fold(sumBytes(Uint8Array.from(bytes), 0, length)) & 0xffff).toBe(internetChecksum(bytes));
  });

  it('does not overflow on 64 KiB of 0xff', () => {
    expect(fold(sumBytes(new Uint8Array(65_534).fill(0xff), 0, 65_534))).toBe(0xffff);
  });

  it('follows a changed word for every kind of carry', () => {
    const bytes = pattern(20, 200);
    for (const [before, after] of [
      [0x0800, 0],
      [0, 0xffff],
      [0xffff, 1],
      [0x1234, 0x1233],
    ] as const) {
      const old = [...bytes, before >> 8, before & 0xff];
      const fresh = [...bytes, after >> 8, after & 0xff];
      const updated = updateChecksum(internetChecksum(old), before, after);
      // 0 and 0xffff are the same value in one's complement.
      expect(updated % 0xffff).toBe(internetChecksum(fresh) % 0xffff);
    }
  });
});
