/** Regions that wrap, overlap, or are the same. */
import { describe, expect, it } from 'vitest';
import { checkRegion, checkRegions, overlapWith, sameRegion, sameTable } from './memory-layout.js';
import type { MemoryRegion } from './payloads.js';

const region = (guestAddr: bigint, size: bigint, userAddr = guestAddr + 0x7000_0000n): MemoryRegion => {
  return { guestAddr, size, userAddr, mmapOffset: 0n };
};
const TOP = 0xffff_ffff_ffff_ffffn;

describe('one region', () => {
  it('may reach the very end of the address space, not beyond', () => {
    expect(checkRegion({ guestAddr: TOP, size: 1n, userAddr: TOP, mmapOffset: TOP })).toBeUndefined();
    for (const field of ['guestAddr', 'userAddr', 'mmapOffset'] as const) {
      const wrapping = { guestAddr: 0n, size: 2n, userAddr: 0n, mmapOffset: 0n, [field]: TOP };
      expect(checkRegion(wrapping), field).toContain('exceeds 2^64');
    }
  });

  it('has a size', () => {
    expect(checkRegion(region(0x1000n, 0n))).toContain('size 0');
  });
});

describe('a table', () => {
  it('may have gaps and neighbours, as a PC has', () => {
    expect(
      checkRegions([region(0n, 0xa0000n), region(0xc0000n, 0xff40000n), region(0xa0000n, 0x20000n)]),
    ).toBeUndefined();
  });

  it('has no overlap in guest or in user addresses', () => {
    expect(checkRegions([region(0n, 0x1000n), region(0xfffn, 1n)])).toContain('region 1: guest addresses');
    expect(checkRegions([region(0n, 0x1000n, 0n), region(0x1000n, 0x1000n, 0xfffn)])).toContain(
      'user addresses',
    );
    expect(checkRegions([region(0n, 1n), region(0n, 1n)])).toContain('region 1');
    expect(overlapWith(region(5n, 1n), [region(0n, 5n), region(6n, 1n)])).toBeUndefined();
  });
});

describe('identity', () => {
  it('of a region does not include the mmap offset, of a table it does', () => {
    const a = region(0n, 0x1000n);
    const moved = { ...a, mmapOffset: 0x1000n };
    expect(sameRegion(a, moved)).toBe(true);
    expect(sameTable([a], [moved])).toBe(false);
    expect(sameTable([a], [{ ...a }])).toBe(true);
    expect(sameTable([a], [])).toBe(false);
  });
});
