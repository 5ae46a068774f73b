/** Runs one case of the socket harness in one format: attack, clean-up, accounts. Used by the tests and by `npm run hostile`. */
import type { Bench } from './bench.js';
import type { SocketCase } from './case.js';
import { DriverBench } from './driver-bench.js';
import { FrontBench } from './front-bench.js';
import type { Format } from './row.js';

/** Formats in which a case is run; one that needs no ring runs once. */
export function formatsOf(test: SocketCase): readonly Format[] {
  return test.formats === 'once' ? ['split'] : test.formats;
}

/** "143 an id twice, split" */
export function nameOf(test: SocketCase, format: Format): string {
  const suffix = test.formats === 'once' ? '' : `, ${format}`;
  return `${test.row} ${test.what}${suffix}`;
}

/** Throws what is wrong: the case's own finding first, else what the accounts say. */
export async function runCase(bench: Bench, test: SocketCase, format: Format): Promise<void> {
  bench.begin();
  await bench.bystander.exchange();
  const attack = test.side === 'driver' ? new DriverBench(bench, format) : new FrontBench(bench, format);
  bench.begin();
  let finding: unknown;
  try {
    await (test.run as (bench: DriverBench | FrontBench) => void | Promise<void>)(attack);
    await bench.bystander.exchange();
  } catch (error) {
    finding = error;
  }
  await attack.close().catch((error: unknown) => {
    finding ??= error;
  });
  await bench.settle().catch((error: unknown) => {
    finding ??= error;
  });
  if (finding !== undefined) throw finding;
}
