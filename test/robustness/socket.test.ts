/** The socket harness as tests: every case in every format, each with its accounts. */
import { afterAll, beforeAll, describe, it } from 'vitest';
import { Bench } from './bench.js';
import { CASES } from './cases/index.js';
import { formatsOf, nameOf, runCase } from './run-case.js';

describe('hostile inputs over the socket', () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.open();
  });
  afterAll(() => bench.close());

  const runs = CASES.flatMap((test) => formatsOf(test).map((format) => ({ test, format })));
  it.each(runs.map((run) => [nameOf(run.test, run.format), run] as const))('%s', async (_name, run) => {
    await runCase(bench, run.test, run.format);
  });
});
