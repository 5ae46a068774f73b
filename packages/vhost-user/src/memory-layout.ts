/**
 * Checks on memory regions that need no file and no mapping: size, wrap-around, overlap, identity. What concerns the
 * file behind a region (its type and length) is for whoever maps it.
 */
import type { MemoryRegion } from './payloads.js';
import { hex } from './refusal.js';

const SPACE = 1n << 64n;

/** What is wrong with one region, in one line, or undefined. */
export function checkRegion(region: MemoryRegion): string | undefined {
  if (region.size === 0n) {
    return `region at guest address ${hex(region.guestAddr)} has size 0`;
  }
  const starts = {
    'guest address': region.guestAddr,
    'user address': region.userAddr,
    'mmap offset': region.mmapOffset,
  };
  for (const [field, start] of Object.entries(starts)) {
    if (start + region.size > SPACE) {
      return `${field} ${hex(start)} + size ${hex(region.size)} exceeds 2^64`;
    }
  }
  return undefined;
}

/** What is wrong with a set of regions, each by itself and with each other, in one line, or undefined. */
export function checkRegions(regions: readonly MemoryRegion[]): string | undefined {
  for (const [at, region] of regions.entries()) {
    const problem = checkRegion(region) ?? overlapWith(region, regions.slice(0, at));
    if (problem !== undefined) {
      return `region ${at}: ${problem}`;
    }
  }
  return undefined;
}

/** How `region` overlaps one of `others` in guest or user addresses, in one line, or undefined. */
export function overlapWith(region: MemoryRegion, others: readonly MemoryRegion[]): string | undefined {
  for (const other of others) {
    if (overlaps(region.guestAddr, region.size, other.guestAddr, other.size)) {
      return `guest addresses ${span(region.guestAddr, region.size)} overlap ${span(other.guestAddr, other.size)}`;
    }
    if (overlaps(region.userAddr, region.size, other.userAddr, other.size)) {
      return `user addresses ${span(region.userAddr, region.size)} overlap ${span(other.userAddr, other.size)}`;
    }
  }
  return undefined;
}

/** Whether two descriptions name the same piece of memory: the mmap offset does not count (REM_MEM_REG). */
export function sameRegion(a: MemoryRegion, b: MemoryRegion): boolean {
  return a.guestAddr === b.guestAddr && a.userAddr === b.userAddr && a.size === b.size;
}

/** Whether two tables are equal in every value, mmap offsets included. */
export function sameTable(a: readonly MemoryRegion[], b: readonly MemoryRegion[]): boolean {
  return (
    a.length === b.length &&
    a.every((region, i) => {
      const other = b[i];
      return other !== undefined && sameRegion(region, other) && region.mmapOffset === other.mmapOffset;
    })
  );
}

function overlaps(a: bigint, aSize: bigint, b: bigint, bSize: bigint): boolean {
  return a < b + bSize && b < a + aSize;
}

function span(start: bigint, size: bigint): string {
  return `${hex(start)}-${hex(start + size - 1n)}`;
}
