// @ts-check
// `npm run bench`: ours and DPDK's testpmd in turn in the same place, one table per part. Nothing fails on a number but `--gate`.
//   --quick       headline cells, a few minutes; short forms of the other parts
//   --part=LIST   cells, latency, stall, idle, growth (default: all of them; with --quick the cells)
//   --cell=TEXT   cells whose name holds the text; --rounds=N
//   --json[=FILE] the result for programs, on standard output or in a file
//   --gate        the steady cells against tools/bench/recorded.json; --record writes that file
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { record, runGate } from './bench/gate.mjs';
import { describeMachine, machine } from './bench/machine.mjs';
import { chooseParts } from './bench/parts.mjs';
import { missingPeer, peersRequired } from './bench/peer.mjs';
import { say } from './bench/progress.mjs';
import { Unmet } from './lib/requirements.mjs';
import { ensure, explain } from './lib/setup.mjs';

/** @type {typeof parseArgs} */
function parse(config) {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new Unmet(`npm run bench: ${error instanceof Error ? error.message : error}`);
  }
}

function readArguments() {
  // `--json` alone is standard output.
  const args = process.argv.slice(2).map((arg) => (arg === '--json' ? '--json=-' : arg));
  const text = /** @type {const} */ ({ type: 'string' });
  const flag = /** @type {const} */ ({ type: 'boolean', default: false });
  const options = { quick: flag, gate: flag, record: flag, json: text, rounds: text, cell: text, part: text };
  const { values } = parse({ args, options });
  const rounds = values.rounds === undefined ? undefined : Math.max(1, Number(values.rounds) || 1);
  return { ...values, rounds };
}

/** @param {ReturnType<typeof readArguments>} options */
async function measureParts({ quick, part, json, ...rest }) {
  const parts = chooseParts(part, quick);
  const where = machine();
  /** @type {Record<string, unknown>} */
  const results = {};
  const print = json === '-' ? () => {} : console.log;
  print(`${describeMachine(where)}\n`);
  const all = () => `${JSON.stringify({ machine: where, ...results }, undefined, 2)}\n`;
  const keep = (/** @type {string} */ name) => (/** @type {unknown} */ data) => {
    results[name] = data;
    if (json !== undefined && json !== '-') writeFileSync(json, all());
  };
  for (const { name, part: run } of parts) {
    const { title, text, data } = await run({ quick, ...rest, keep: keep(name) });
    keep(name)(data);
    print(`## ${title}\n\n${text}\n`);
  }
  if (json === '-') process.stdout.write(all());
}

/** @param {ReturnType<typeof readArguments>} options @returns {Promise<number>} the exit code */
async function main(options) {
  const missing = missingPeer();
  if (missing !== undefined) {
    say(missing);
    return options.gate && !peersRequired() ? 0 : 1;
  }
  await ensure({ flavours: ['release'], scope: 'all' });
  if (options.record) await record(options.rounds);
  else if (options.gate) return (await runGate()) ? 0 : 1;
  else await measureParts(options);
  return 0;
}

try {
  process.exitCode = await main(readArguments());
} catch (error) {
  explain(error);
  process.exitCode = 1;
}
