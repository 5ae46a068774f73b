// @ts-check
// The ceiling beside the ratios of the self-loop: what copying frames through two rings reaches on one core when nothing else is done
// (native/bench/limit.cpp). The two-core cells have none: there the cost is moving cache lines between cores.
import { runNative } from './native-program.mjs';

/** @typedef {{ size: number, rate: number, cycles: number }} Limit */

/**
 * @param {number[]} sizes
 * @returns {Promise<Map<number, Limit>>} by frame length
 */
export async function measureLimits(sizes) {
  const unique = [...new Set(sizes)].sort((a, b) => a - b);
  const found = await runNative('limit', unique.map(String));
  return new Map(found.map((limit) => [limit.size, limit]));
}

/**
 * Puts the ceiling beside the rows of self-loops.
 * @param {import('./rounds.mjs').Row[]} rows
 * @param {import('./cells.mjs').Cell[]} cells
 * @param {Map<number, Limit>} limits
 */
export function addLimits(rows, cells, limits) {
  const size = new Map(cells.map((cell) => [cell.name, cell.size]));
  return rows.map((row) => {
    const limit = row.role === 'self-loop' ? limits.get(size.get(row.cell) ?? 0) : undefined;
    return limit === undefined ? row : { ...row, limit: limit.rate, cyclesLimit: limit.cycles };
  });
}
