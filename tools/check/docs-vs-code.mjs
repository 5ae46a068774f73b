// @ts-check
// What the documents name exists: files in the maps of the packages, npm scripts and local links everywhere.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readJson } from '../lib/paths.mjs';
import { filesIn, readText } from './violation.mjs';

export const name = 'docs-vs-code';

/** @param {string} root @returns {Promise<import('./violation.mjs').Result>} */
export async function check(root) {
  const manifest = join(root, 'package.json');
  const scripts = new Set(existsSync(manifest) ? Object.keys(readJson(manifest).scripts ?? {}) : []);
  const violations = filesIn(root, [''], /\.md$/).flatMap((file) =>
    readText(root, file)
      .split('\n')
      .flatMap((text, index) =>
        wrong(root, file, text, scripts).map((message) => ({
          file,
          line: index + 1,
          message,
          remedy: 'mend the document, or bring what it names',
        })),
      ),
  );
  return { violations };
}

/**
 * @param {string} root
 * @param {string} file
 * @param {string} text one line
 * @param {Set<string>} scripts
 * @returns {string[]} what is named and missing
 */
function wrong(root, file, text, scripts) {
  const found = [];
  for (const [, script = ''] of text.matchAll(/\bnpm run ([\w:-]+)/g)) {
    if (!scripts.has(script)) found.push(`no script "${script}" in package.json`);
  }
  for (const [, link = ''] of text.matchAll(/\]\(([^)#\s:]+)(?:#[^)]*)?\)/g)) {
    if (!existsSync(join(root, dirname(file), link))) found.push(`no file ${link}`);
  }
  if (!/^packages\/[^/]+\/README\.md$/.test(file)) return found;
  for (const [, path = ''] of text.matchAll(/`((?:src|bin)\/[\w./-]+)`/g)) {
    if (!existsSync(join(root, dirname(file), path))) found.push(`no file ${path}`);
  }
  return found;
}
