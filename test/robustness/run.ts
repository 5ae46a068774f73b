/**
 * `npm run hostile`: runs every proof of the table (C++ tests, unit tests, the socket harness) and prints the score. `--row N` runs and
 * prints one row; `--against dpdk` is against-dpdk.ts. Exit status 1 when a proof does not hold; a row that is open is printed and is no failure.
 */
import { parseArgs } from 'node:util';
import { againstDpdk } from './against-dpdk.js';
import { CASES } from './cases/index.js';
import { runCpp, runSocket, runUnits } from './prove.js';
import { readRows } from './rows.js';
import { nameOf } from './run-case.js';
import type { Result } from './score.js';
import { coverage, scoreTable, shortfalls } from './score.js';

const { values } = parseArgs({ options: { row: { type: 'string' }, against: { type: 'string' } } });
if (values.against !== undefined) {
  if (values.against !== 'dpdk') {
    process.stderr.write(`--against ${values.against}: only dpdk can be compared with\n`);
    process.exit(2);
  }
  await againstDpdk();
  process.exit();
}
const all = readRows();
const only = values.row === undefined ? undefined : Number(values.row);
const rows = only === undefined ? all : all.filter(({ id }) => id === only);
if (rows.length === 0) {
  process.stderr.write(`there is no row ${values.row}; give a number from 1 to ${all.length}\n`);
  process.exit(2);
}

const proofs = rows.flatMap((row) => row.proofs.map((proof) => ({ row, proof })));
const cases = CASES.filter(({ row }) => rows.some(({ id }) => id === row));
const cpp = await runCpp(proofs.filter(({ proof }) => proof.kind === 'cpp').map(({ proof }) => proof.name));
const units = await runUnits(proofs.filter(({ proof }) => proof.kind === 'unit').map(({ proof }) => proof));
const socket = await runSocket(cases);

const results: Result[] = [
  ...proofs.map(({ row, proof }) => ({
    row: row.id,
    name: proof.kind === 'cpp' ? proof.name : `${proof.file} > ${proof.name}`,
    ...coverage(row, proof),
    problem: (proof.kind === 'cpp' ? cpp : units)(proof),
  })),
  ...socket.map(({ test, format, problem }) => {
    const row = rows.find(({ id }) => id === test.row) as (typeof rows)[0];
    const formats = test.formats === 'once' ? coverage(row, test).formats : [format];
    return { row: row.id, name: nameOf(test, format), sides: [test.side], formats, problem };
  }),
];

if (only === undefined) {
  process.stdout.write(`${scoreTable(rows, results)}\n\n`);
  const missing = shortfalls(rows, results);
  process.stdout.write(
    missing.length === 0 ? 'every row that applies is proven\n' : `not proven:\n${missing.join('\n')}\n`,
  );
  const partly = rows.filter(({ offered, open }) => offered && open !== '');
  for (const { id, open } of partly) process.stdout.write(`left open in row ${id}: ${open}\n`);
  const unreachable = rows.filter(({ offered }) => !offered).length;
  process.stdout.write(`${unreachable} rows are about what is not offered yet, and do not count\n`);
} else {
  const [row] = rows as [(typeof rows)[0]];
  process.stdout.write(
    `${row.id} ${row.component} ${row.setup}: ${row.action}\nallowed: ${row.allowed.join(', ')}\n`,
  );
  for (const { name, formats, problem } of results) {
    process.stdout.write(`  ${problem === '' ? 'holds ' : 'FAILS '} ${name} (${formats.join(', ')})\n`);
    if (problem !== '') process.stdout.write(`${problem.replace(/^/gm, '         ')}\n`);
  }
  if (row.open !== '') process.stdout.write(`${row.offered ? 'open' : 'not offered'}: ${row.open}\n`);
}
process.exitCode = results.some(({ problem }) => problem !== '') ? 1 : 0;
