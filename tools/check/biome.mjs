// @ts-check
// Biome: lint rules, import order and format of TypeScript, JavaScript and JSON.
import { join, relative, resolve } from 'node:path';
import { ROOT } from '../lib/paths.mjs';
import { CommandFailed, run } from '../lib/run.mjs';

// Written by Biome's own reporter for GitHub, which is its only one with one line per finding.
const FINDING = /^::(error|warning) title=([^,]*),file=([^,]*)(?:,line=(\d+))?[^:]*::(.*)$/;

export const name = 'biome';

/** @param {string} root @returns {Promise<import('./violation.mjs').Result>} */
export async function check(root) {
  const biome = join(ROOT, 'node_modules/@biomejs/biome/bin/biome');
  try {
    await run(
      process.execPath,
      [biome, 'ci', '--reporter=github', '--max-diagnostics=none', '--error-on-warnings', '.'],
      { cwd: root },
    );
    return { violations: [] };
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    return { violations: parse(root, error) };
  }
}

/**
 * @param {string} root
 * @param {CommandFailed} error
 */
function parse(root, error) {
  const violations = error.output.split('\n').flatMap((text) => {
    const [, , title = '', file = '', line = '0', message = ''] = FINDING.exec(text) ?? [];
    if (file === '') return [];
    return [
      {
        file: relative(root, resolve(root, file)),
        line: Number(line),
        message: `${title}: ${message}`,
        remedy: 'npm run format, or mend by hand',
      },
    ];
  });
  if (violations.length > 0) return violations;
  return [{ file: 'biome.json', line: 0, message: `${error.message}\n${error.output}`, remedy: '' }];
}
