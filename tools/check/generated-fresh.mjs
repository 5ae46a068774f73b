// @ts-check
// Generated files are what their generators would write now. Every tools/gen-*.mjs takes --check: exit code 0
// when nothing would change, otherwise one line per stale file.
import { CommandFailed, run } from '../lib/run.mjs';
import { filesIn } from './violation.mjs';

export const name = 'generated-fresh';

/** @param {string} root */
export function generators(root) {
  return filesIn(root, ['tools'], /^tools\/gen-[\w-]+\.mjs$/);
}

/** @param {string} root @returns {Promise<import('./violation.mjs').Result>} */
export async function check(root) {
  /** @type {import('./violation.mjs').Violation[]} */
  const violations = [];
  for (const file of generators(root)) {
    try {
      await run(process.execPath, [file, '--check'], { cwd: root });
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error;
      violations.push({
        file,
        line: 0,
        message: error.output.trim() || error.message,
        remedy: `node ${file}`,
      });
    }
  }
  return { violations };
}
