// @ts-check
// How test.mjs calls vitest, and how it counts the report. Apart so that both can be tested.
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './paths.mjs';

/**
 * Command line of vitest. A source file among the arguments becomes the compiled file that vitest runs.
 * @param {string[]} args as the user gave them
 * @param {string} report where the counts go; an older one is removed
 */
export function vitestArguments(args, report) {
  rmSync(report, { force: true });
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  return [
    vitest,
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...args.map(compiled),
  ];
}

/** @param {string} argument */
function compiled(argument) {
  if (!argument.endsWith('.test.ts')) return argument;
  return argument
    .replace(/^(?:\.\/)?(packages\/[^/]+)\/src\//, '$1/dist/')
    .replace(/^(?:\.\/)?test\/(?!dist\/)/, 'test/dist/')
    .replace(/\.ts$/, '.js');
}

/**
 * True unless the arguments choose projects and none of `projects` is among them.
 * @param {string[]} args
 * @param {string[]} projects
 */
export function wantsFlavour(args, projects) {
  const chosen = args.flatMap((argument, index) => {
    if (argument === '--project') return [args[index + 1] ?? ''];
    return argument.startsWith('--project=') ? [argument.slice('--project='.length)] : [];
  });
  return chosen.length === 0 || chosen.some((name) => projects.includes(name) || /[*!]/.test(name));
}

/**
 * Counts of a run. A test that never ended is a failure, and so is a file that could not be loaded.
 * @param {string} path vitest's JSON report
 * @returns {{ passed: number, failed: number, skipped: number }}
 */
export function countReport(path) {
  const count = { passed: 0, failed: 0, skipped: 0 };
  let report;
  try {
    report = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return count;
  }
  for (const file of report.testResults) {
    let failedHere = 0;
    for (const { status } of file.assertionResults) {
      if (status === 'passed') count.passed++;
      else if (status === 'skipped' || status === 'todo') count.skipped++;
      // Failed, or pending: its worker died before it ended.
      else failedHere++;
    }
    if (file.status === 'failed' && failedHere === 0) failedHere = 1;
    count.failed += failedHere;
  }
  return count;
}
