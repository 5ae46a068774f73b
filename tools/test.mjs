// @ts-check
// `npm test [-- vitest arguments]`: sets up, runs the repository checks, then vitest. The last line is
// "N passed, N failed, N skipped", over checks and tests together.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ROOT, STATE_DIR } from './lib/paths.mjs';
import { note } from './lib/progress.mjs';
import { ensure, explain } from './lib/setup.mjs';
import { countReport, vitestArguments, wantsFlavour } from './lib/vitest-run.mjs';

const REPORT = join(STATE_DIR, 'vitest-report.json');
const args = process.argv.slice(2);
const total = { passed: 0, failed: 0, skipped: 0 };

/** @param {{ passed: number, failed: number, skipped: number }} count */
function add(count) {
  total.passed += count.passed;
  total.failed += count.failed;
  total.skipped += count.skipped;
}

try {
  /** @type {import('./lib/flavours.mjs').Flavour[]} */
  const flavours = ['release', 'checked'];
  if (wantsFlavour(args, ['asan', 'native'])) flavours.push('asan');
  await ensure({ flavours, scope: 'all' });
  const { runChecks } = await import('./lib/checks.mjs');
  add(await runChecks());
  const child = spawn(process.execPath, vitestArguments(args, REPORT), { cwd: ROOT, stdio: 'inherit' });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    // A terminal signals the whole group, so that vitest may get it twice; the first one counts.
    process.on(signal, () => child.kill(signal));
  }
  const [code, signal] = await once(child, 'exit');
  const count = countReport(REPORT);
  // A crash of a worker or an error outside any test is seen in the exit code only.
  if (code !== 0 && count.failed === 0) {
    note('test', `vitest ended with ${signal ?? `exit code ${code}`} beside the tests counted`);
    count.failed = 1;
  }
  add(count);
} catch (error) {
  explain(error);
  total.failed++;
}
process.exitCode = total.failed > 0 ? 1 : 0;
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`);
