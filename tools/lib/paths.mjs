// @ts-check
// Where things are, for every tool. Imported by all of tools/; imports nothing of ours.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root of the repository, without a trailing slash. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** State of the tools: fingerprints, logs, reports. Git-ignored; deleting it costs a rebuild at most. */
export const STATE_DIR = join(ROOT, '.build');

export const NATIVE_DIR = join(ROOT, 'native');

/** Names of folders that hold what was installed or built; no tool looks for sources in them. */
export const IGNORED_FOLDERS = new Set([
  'node_modules',
  'dist',
  'build',
  '.build',
  '.cache',
  '.git',
  'coverage',
]);

/** The same, by path from the root. */
export const IGNORED_PATHS = new Set(['docs/api']);

/**
 * Names of the folders below packages/.
 * @param {string} [root]
 * @returns {string[]}
 */
export function packageNames(root = ROOT) {
  return readdirSync(join(root, 'packages'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

/**
 * @param {string} path
 * @returns {any} the parsed file
 */
export function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}
