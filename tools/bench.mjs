// @ts-check
// `npm run bench [-- --quick] [--json] [--rounds=N] [--cell=text]`: ours and DPDK's testpmd in turn in the same place, against the
// same DPDK peer; best of the rounds, one table of ratios. Not a test: nothing fails on a number.
import { parseArgs } from 'node:util';
import { ALL, ALL_LOOPS, QUICK, QUICK_LOOPS } from './bench/cells.mjs';
import { measure } from './bench/measure.mjs';
import { machine, table } from './bench/report.mjs';
import { measureSelfLoop } from './bench/self-loop.mjs';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    cell: { type: 'string' },
  },
});
const rounds = Math.max(1, Number(values.rounds) || 1);
const wanted = values.cell;
/** @typedef {import('./bench/testpmd.mjs').Kind} Kind */
/** @type {{ name: string, run(kind: Kind): Promise<number> }[]} */
const jobs = [
  ...(values.quick ? QUICK_LOOPS : ALL_LOOPS).map((cell) => ({
    name: cell.name,
    run: (/** @type {Kind} */ kind) => measureSelfLoop(kind, cell),
  })),
  ...(values.quick ? QUICK : ALL).map((cell) => ({
    name: cell.name,
    run: (/** @type {Kind} */ kind) => measure(cell, kind),
  })),
].filter(({ name }) => wanted === undefined || name.includes(wanted));

/** @type {import('./bench/report.mjs').Row[]} */
const rows = [];
for (const { name, run } of jobs) {
  let ours = 0;
  let dpdk = 0;
  for (let round = 1; round <= rounds; round++) {
    ours = Math.max(ours, await run('pollwire'));
    dpdk = Math.max(dpdk, await run('dpdk'));
    console.error(`${name}: round ${round} of ${rounds}: ratio ${(ours / dpdk).toFixed(2)} so far`);
  }
  rows.push({ cell: name, ours, dpdk, ratio: ours / dpdk });
}
if (values.json) {
  console.log(JSON.stringify({ machine: machine(), rounds, rows }, undefined, 2));
} else {
  const { cpu, kernel, node, dpdk, commit } = machine();
  console.log(
    `${cpu}, kernel ${kernel}, Node ${node}, DPDK ${dpdk}, commit ${commit}, best of ${rounds}\n\n${table(rows)}`,
  );
}
