// @ts-check
// Runs cells in rounds, ours and DPDK's in turn, and makes a row of each. The best round counts, all of them are kept.
import { Progress, say } from './progress.mjs';
import { measureSelfLoop } from './self-loop.mjs';
import { measureTwoCore } from './two-core.mjs';

/**
 * @typedef {import('./program.mjs').Kind} Kind
 * @typedef {import('./self-loop.mjs').Sample} Sample
 * @typedef {import('./self-loop.mjs').Timing} Timing
 *
 * @typedef {object} Row rates in packets per second, cycles of the time-stamp counter per packet
 * @property {string} cell
 * @property {string} role
 * @property {number} ours the best round
 * @property {number} dpdk
 * @property {number} ratio of the two
 * @property {number | undefined} cyclesOurs the lowest round
 * @property {number | undefined} cyclesDpdk
 * @property {number | undefined} [limit] what copying alone reaches on one core
 * @property {number | undefined} [cyclesLimit]
 * @property {{ ours: Sample[], dpdk: Sample[] }} rounds
 */

/** In full, and for a look. @type {Record<'full' | 'quick' | 'gate', Timing>} */
export const TIMINGS = {
  full: { warmUp: 1, counted: 4, cycles: 1 },
  quick: { warmUp: 1, counted: 2, cycles: 0.5 },
  gate: { warmUp: 1, counted: 2, cycles: 0 },
};

/** @param {import('./cells.mjs').Cell} cell @param {Kind} kind @param {Timing} timing @returns {Promise<Sample>} */
export function measure(cell, kind, timing) {
  return cell.role === 'self-loop' ? measureSelfLoop(kind, cell, timing) : measureTwoCore(kind, cell, timing);
}

/**
 * @param {import('./cells.mjs').Cell} cell
 * @param {{ ours: Sample[], dpdk: Sample[] }} rounds
 * @returns {Row}
 */
export function rowOf(cell, rounds) {
  const best = (/** @type {Sample[]} */ samples) => Math.max(...samples.map(({ rate }) => rate));
  const ours = best(rounds.ours);
  const dpdk = best(rounds.dpdk);
  const { name, role } = cell;
  const [cyclesOurs, cyclesDpdk] = [fewest(rounds.ours), fewest(rounds.dpdk)];
  return { cell: name, role, ours, dpdk, ratio: ours / dpdk, cyclesOurs, cyclesDpdk, rounds };
}

/** @param {Sample[]} samples */
function fewest(samples) {
  const cycles = samples.flatMap((sample) => sample.cycles ?? []);
  return cycles.length === 0 ? undefined : Math.min(...cycles);
}

/**
 * @param {import('./cells.mjs').Cell[]} cells
 * @param {number} count rounds of each
 * @param {Timing} timing
 * @param {(rows: Row[]) => void} [onRow] called with the rows so far when there is another one
 * @returns {Promise<{ rows: Row[], failed: { cell: string, reason: string }[] }>} a cell that cannot be measured does not end the others
 */
export async function runCells(cells, count, timing, onRow) {
  const progress = new Progress(cells.length * count);
  /** @type {Row[]} */
  const rows = [];
  const failed = [];
  for (const cell of cells) {
    /** @type {Row['rounds']} */
    const rounds = { ours: [], dpdk: [] };
    try {
      for (let round = 1; round <= count; round++) {
        rounds.ours.push(await measure(cell, 'pollwire', timing));
        rounds.dpdk.push(await measure(cell, 'dpdk', timing));
        const { ratio } = rowOf(cell, rounds);
        say(progress.step(`${cell.name}: round ${round} of ${count}, ratio ${ratio.toFixed(2)} so far`));
      }
      rows.push(rowOf(cell, rounds));
      onRow?.(rows);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      failed.push({ cell: cell.name, reason });
      for (let i = rounds.dpdk.length; i < count; i++) progress.step('');
      say(`${cell.name}: not measured: ${reason}`);
    }
  }
  return { rows, failed };
}
