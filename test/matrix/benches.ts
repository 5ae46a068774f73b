/** All benches of the matrix. */
import type { BenchKind } from './bench.js';
import type { Pairing } from './cells.js';
import { oneProcess, twoProcesses } from './own-bench.js';
import { relay } from './relay-bench.js';
import { dpdkToOurs, oursToDpdk } from './testpmd-bench.js';

export const benches: readonly BenchKind[] = [oursToDpdk, dpdkToOurs, relay, oneProcess, twoProcesses];

/** How many benches prove a cell of a pairing. */
export function benchesOf(pairing: Pairing): number {
  return benches.filter((bench) => bench.pairings.includes(pairing)).length;
}
