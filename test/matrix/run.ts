/**
 * Runs the matrix and prints it: `npm run matrix` comes here through tools/matrix.mjs. Exit status 0 when every cell is green.
 *
 *   --quick         four ring kinds instead of sixteen
 *   --ring=TEXT     only ring kinds whose name contains TEXT, such as `packed`
 *   --pairing=TEXT  only benches of pairings whose name contains TEXT, such as `dpdk` or `one process`
 */
import { parseArgs } from 'node:util';
import { requirePeer } from '../harness/peers.js';
import { benches, benchesOf } from './benches.js';
import { allRings, pairingTitles, quickRings, ringName } from './cells.js';
import type { Outcome } from './group.js';
import { runGroup } from './group.js';
import { matrixTable } from './table.js';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    ring: { type: 'string', default: '' },
    pairing: { type: 'string', default: '' },
  },
});

const rings = (values.quick ? quickRings : allRings).filter((ring) => ringName(ring).includes(values.ring));
const wanted = benches.filter((bench) =>
  bench.pairings.some((pairing) => `${pairing} ${pairingTitles[pairing]}`.includes(values.pairing)),
);
const noDpdk = requirePeer('dpdk');
const runnable = wanted.filter((bench) => !bench.needsDpdk || noDpdk === undefined);
const started = performance.now();
const outcomes: Outcome[] = [];
for (const ring of rings) {
  for (const bench of runnable) {
    const done = await runGroup(bench, ring);
    outcomes.push(...done);
    const failed = done.filter((one) => one.fault !== undefined);
    const seconds = Math.round((performance.now() - started) / 1000);
    const title = `${bench.pairings.join(' + ')}, ${bench.name}`;
    console.error(
      `${seconds} s  ${ringName(ring)}  ${title}: ${done.length - failed.length} of ${done.length} ok`,
    );
    for (const one of failed) console.error(`    ${one.direction} ${one.size}: ${one.fault}`);
    const report = failed.find((one) => one.report !== undefined)?.report;
    if (report !== undefined) console.error(report);
  }
}

const { text, cells, green } = matrixTable(rings, outcomes, benchesOf);
const packets = outcomes.reduce((sum, one) => sum + one.evidence.packets, 0);
const gibibytes = outcomes.reduce((sum, one) => sum + one.evidence.bytes, 0) / 2 ** 30;
console.log(text);
if (noDpdk !== undefined) console.log(`\nWithout DPDK's columns: ${noDpdk}`);
const seconds = Math.round((performance.now() - started) / 1000);
console.log(
  `\n${green} of ${cells} cells green; ${packets} packets, ${gibibytes.toFixed(1)} GiB compared in ${seconds} s`,
);
process.exitCode = cells > 0 && green === cells ? 0 : 1;
