// @ts-check
// Runs all repository checks and prints one line per violation, then one line per check. Called by check.mjs and
// test.mjs.
import { CHECKS, format, ROOT } from '../check/index.mjs';
import { seconds } from './progress.mjs';

/**
 * @returns {Promise<{ passed: number, failed: number, skipped: number }>} how many checks
 */
export async function runChecks() {
  const count = { passed: 0, failed: 0, skipped: 0 };
  for (const { name, check } of CHECKS) {
    const started = performance.now();
    const { violations, skipped } = await check(ROOT);
    for (const violation of violations) process.stdout.write(`${format(violation)}\n`);
    const took = seconds(performance.now() - started);
    if (skipped !== undefined) {
      count.skipped++;
      process.stdout.write(`check ${name}: skipped, ${skipped}\n`);
    } else if (violations.length > 0) {
      count.failed++;
      process.stdout.write(`check ${name}: FAILED, ${violations.length} violation(s) (${took})\n`);
    } else {
      count.passed++;
      process.stdout.write(`check ${name}: passed (${took})\n`);
    }
  }
  return count;
}
