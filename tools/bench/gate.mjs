// @ts-check
// The gate of CI: the steady cells once more, against the ratios that were recorded. It fails on a gross regression only, and only
// when a second measurement of the cell says the same.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../lib/paths.mjs';
import { gateCells } from './cells.mjs';
import { machine } from './machine.mjs';
import { Progress, say } from './progress.mjs';
import { measure, rowOf, TIMINGS } from './rounds.mjs';
import { fixed, table } from './table.mjs';

export const RECORDED = join(ROOT, 'tools/bench/recorded.json');
/** Below this share of the recorded ratio a cell has regressed. */
export const TOLERANCE = 0.8;
/** Rounds of a recording: the more, the less its best is luck. */
const RECORD_ROUNDS = 3;

/**
 * @typedef {{ context: import('./machine.mjs').Machine, ratios: Record<string, number> }} Recorded
 * @typedef {{ cell: string, recorded: number | undefined, now: number, passed: boolean }} Verdict
 */

/**
 * A cell that was never recorded passes: there is nothing to compare it with.
 * @param {number | undefined} recorded
 * @param {number} now
 */
export const passes = (recorded, now) => recorded === undefined || now >= TOLERANCE * recorded;

/**
 * Measures a cell, and once more if it seems to have regressed or could not be measured; the better of the two counts.
 * @param {number | undefined} recorded
 * @param {() => Promise<number>} ratio
 * @returns {Promise<{ now: number, passed: boolean, repeated: boolean }>}
 * @throws what the second measurement throws
 */
export async function judge(recorded, ratio) {
  const first = await ratio().catch((error) => {
    say(`measuring again: ${error instanceof Error ? error.message.split('\n')[0] : error}`);
    return 0;
  });
  if (first > 0 && passes(recorded, first)) return { now: first, passed: true, repeated: false };
  const now = Math.max(first, await ratio());
  return { now, passed: passes(recorded, now), repeated: true };
}

/** @param {Verdict[]} verdicts */
export function gateTable(verdicts) {
  return table(
    ['cell', 'recorded', 'now', 'of recorded', ''],
    verdicts.map(({ cell, recorded, now, passed }) => [
      cell,
      fixed(recorded),
      fixed(now),
      recorded === undefined ? '' : `${Math.round((100 * now) / recorded)} %`,
      passed ? 'ok' : 'REGRESSED',
    ]),
  );
}

/** @returns {Recorded} */
const readRecorded = () => JSON.parse(readFileSync(RECORDED, 'utf8'));

/** @param {import('./cells.mjs').Cell} cell */
async function ratioOnce(cell) {
  const ours = [await measure(cell, 'pollwire', TIMINGS.gate)];
  const dpdk = [await measure(cell, 'dpdk', TIMINGS.gate)];
  return rowOf(cell, { ours, dpdk }).ratio;
}

/**
 * What differs from the machine of the recording and may move ratios by itself.
 * @param {import('./machine.mjs').Machine} recorded
 * @param {import('./machine.mjs').Machine} now
 */
export function differences(recorded, now) {
  const keys = /** @type {const} */ (['cpu', 'dpdk', 'memory']);
  return keys
    .filter((key) => recorded[key] !== now[key])
    .map((key) => `${key} was ${recorded[key]} and is ${now[key]}`);
}

/**
 * Ratios of another machine say nothing about a regression: they are shown, and do not fail.
 * @param {number} failed cells
 * @param {string[]} other see {@link differences}
 */
export function verdictOf(failed, other) {
  if (failed === 0) return { passed: true, text: 'passed' };
  const cells = failed === 1 ? '1 cell' : `${failed} cells`;
  const text = `${cells} below ${TOLERANCE} of the recorded ratio, twice each`;
  if (other.length === 0) return { passed: false, text };
  const why = `another machine than the recorded one: ${other.join('; ')}`;
  return { passed: true, text: `${text}; passed, for this is ${why} (npm run bench -- --record)` };
}

/** @returns {Promise<boolean>} whether every cell passed */
export async function runGate() {
  const { context, ratios } = readRecorded();
  const cells = gateCells();
  const progress = new Progress(cells.length);
  /** @type {Verdict[]} */
  const verdicts = [];
  for (const cell of cells) {
    const recorded = ratios[cell.name];
    const { now, passed, repeated } = await judge(recorded, () => ratioOnce(cell));
    verdicts.push({ cell: cell.name, recorded, now, passed });
    say(progress.step(`${cell.name}: ratio ${now.toFixed(2)}${repeated ? ' (measured twice)' : ''}`));
  }
  const failed = verdicts.filter(({ passed }) => !passed).length;
  console.log(
    `Ratios to DPDK's testpmd, recorded at ${context.commit} on ${context.cpu}:\n\n${gateTable(verdicts)}\n`,
  );
  const other = differences(context, machine());
  const verdict = verdictOf(failed, other);
  console.log(`bench gate: ${verdict.text}`);
  return verdict.passed;
}

/** Measures the cells of the gate and writes them down. @param {number} [rounds] */
export async function record(rounds = RECORD_ROUNDS) {
  const context = machine();
  const cells = gateCells();
  const progress = new Progress(cells.length);
  /** @type {Record<string, number>} */
  const ratios = {};
  for (const cell of cells) {
    /** @type {import('./rounds.mjs').Row['rounds']} */
    const samples = { ours: [], dpdk: [] };
    for (let round = 0; round < rounds; round++) {
      samples.ours.push(await measure(cell, 'pollwire', TIMINGS.gate));
      samples.dpdk.push(await measure(cell, 'dpdk', TIMINGS.gate));
    }
    ratios[cell.name] = Number(rowOf(cell, samples).ratio.toFixed(2));
    say(progress.step(`${cell.name}: ratio ${ratios[cell.name]}`));
  }
  writeFileSync(RECORDED, `${JSON.stringify({ context, ratios }, undefined, 2)}\n`);
  console.log(`written: ${RECORDED}`);
}
