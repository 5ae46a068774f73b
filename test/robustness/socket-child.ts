/** Runs cases of the socket harness in a process of its own and writes a line of JSON for each: the end of the process is a result too.
 * Arguments: names as run-case.ts gives them, as one JSON array on standard input. Started by run.ts. */
import { text } from 'node:stream/consumers';
import { Bench } from './bench.js';
import { CASES } from './cases/index.js';
import { formatsOf, nameOf, runCase } from './run-case.js';

const wanted = new Set(JSON.parse(await text(process.stdin)) as string[]);
const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);
const bench = await Bench.open();
for (const test of CASES) {
  for (const format of formatsOf(test)) {
    const name = nameOf(test, format);
    if (!wanted.has(name)) continue;
    say({ begins: name });
    const problem = await runCase(bench, test, format).then(
      () => '',
      (error: unknown) => (error instanceof Error ? error.message : String(error)) || 'failed without a word',
    );
    say({ name, problem });
  }
}
await bench.close();
