// @ts-check
// The part of the benchmark that compares rates: cells in rounds, with the limit beside them. Called by tools/bench.mjs.
import { Unmet } from '../lib/requirements.mjs';
import { allCells, quickCells, select } from './cells.mjs';
import { addLimits, measureLimits } from './limit.mjs';
import { cellTable, foot } from './report.mjs';
import { runCells, TIMINGS } from './rounds.mjs';

/** @param {import('./parts.mjs').Options} options @returns {Promise<import('./parts.mjs').PartResult>} */
export async function cellsPart({ quick, rounds = quick ? 1 : 3, cell, keep }) {
  const cells = select(quick ? quickCells() : allCells(), cell);
  if (cells.length === 0)
    throw new Unmet(`No cell's name holds "${cell}"; names are like "self-loop split io 64 B 1q".`);
  const loops = cells.filter(({ role }) => role === 'self-loop');
  const limits = loops.length === 0 ? new Map() : await measureLimits(loops.map(({ size }) => size));
  const { rows, failed } = await runCells(cells, rounds, quick ? TIMINGS.quick : TIMINGS.full, (soFar) =>
    keep?.({ rounds, rows: addLimits(soFar, cells, limits), failed: [] }),
  );
  const all = addLimits(rows, cells, limits);
  const missing = failed.map((one) => `not measured: ${one.cell}: ${one.reason.split('\n')[0]}`);
  return {
    title: 'Rates',
    text: [cellTable(all), '', foot(all, rounds), ...missing].join('\n'),
    data: { rounds, rows: all, failed },
  };
}
