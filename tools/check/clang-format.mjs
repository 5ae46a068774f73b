// @ts-check
// Format of the C++ tree. Releases of clang-format differ in detail, so one is the measure; without it the check
// is skipped with the command that brings it.
import { spawnSync } from 'node:child_process';
import { CommandFailed, run } from '../lib/run.mjs';
import { filesIn } from './violation.mjs';

const MAJOR = 14;
const FINDING = /^(.+?):(\d+):\d+: (?:error|warning): (.*)$/;

export const name = 'clang-format';

/** The command of the right release, or undefined. */
export function findClangFormat() {
  return [`clang-format-${MAJOR}`, 'clang-format'].find((command) => {
    const result = spawnSync(command, ['--version'], { encoding: 'utf8' });
    return !result.error && new RegExp(`version ${MAJOR}\\.`).test(result.stdout);
  });
}

/** @param {string} root */
export function nativeFiles(root) {
  return filesIn(root, ['native'], /\.(cpp|hpp|h)$/);
}

/** @param {string} root @returns {Promise<import('./violation.mjs').Result>} */
export async function check(root) {
  const command = findClangFormat();
  if (command === undefined) {
    return {
      violations: [],
      skipped: `no clang-format ${MAJOR} on this machine (apt-get install clang-format-${MAJOR})`,
    };
  }
  const files = nativeFiles(root);
  if (files.length === 0) return { violations: [] };
  try {
    await run(command, ['--dry-run', '--Werror', '--ferror-limit=1', ...files], { cwd: root });
    return { violations: [] };
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    return { violations: parse(error) };
  }
}

/** @param {CommandFailed} error */
function parse(error) {
  const violations = error.output.split('\n').flatMap((text) => {
    const [, file = '', line = '', message = ''] = FINDING.exec(text) ?? [];
    return file === '' ? [] : [{ file, line: Number(line), message, remedy: 'npm run format' }];
  });
  if (violations.length > 0) return violations;
  return [{ file: '.clang-format', line: 0, message: `${error.message}\n${error.output}`, remedy: '' }];
}
