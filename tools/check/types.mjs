// @ts-check
// The whole workspace compiles: packages, tests, examples and these tools.

import { CommandFailed } from '../lib/run.mjs';
import { runCompiler } from '../lib/typescript.mjs';

const DIAGNOSTIC = /^(.+?)\((\d+),\d+\): error (TS\d+: .*)$/;

export const name = 'types';

/** @param {string} _root the compiler always takes this checkout @returns {Promise<import('./violation.mjs').Result>} */
export async function check(_root) {
  try {
    await runCompiler('all');
    return { violations: [] };
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    return { violations: parse(error.output, error.message) };
  }
}

/**
 * @param {string} output
 * @param {string} otherwise message when nothing in the output is a located error
 */
function parse(output, otherwise) {
  const found = output.split('\n').flatMap((text) => {
    const [, file = '', line = '', message = ''] = DIAGNOSTIC.exec(text) ?? [];
    return file === '' ? [] : [{ file, line: Number(line), message, remedy: '' }];
  });
  const elsewhere = output.split('\n').filter((text) => /^error TS/.test(text));
  if (found.length === 0 && elsewhere.length === 0) elsewhere.push(`${otherwise}\n${output}`);
  return [...found, ...elsewhere.map((message) => ({ file: 'tsconfig.json', line: 0, message, remedy: '' }))];
}
