// @ts-check
// Lists the files that people write, below the root or a part of it. Used by fingerprints and checks.
// Walks the tree instead of asking git, so that it also works in an exported copy.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { IGNORED_FOLDERS, IGNORED_PATHS } from './paths.mjs';

/**
 * All files below `root`/`path`, as paths relative to `root`, sorted. A path that names a file yields itself;
 * one that does not exist yields nothing.
 * @param {string} root
 * @param {string} [path]
 * @returns {string[]}
 */
export function listFiles(root, path = '') {
  const top = join(root, path);
  if (!existsSync(top)) return [];
  if (!statSync(top).isDirectory()) return [path];
  /** @type {string[]} */
  const found = [];
  walk(root, path, found);
  return found.sort();
}

/**
 * @param {string} root
 * @param {string} path
 * @param {string[]} found
 */
function walk(root, path, found) {
  for (const entry of readdirSync(join(root, path), { withFileTypes: true })) {
    const below = path === '' ? entry.name : `${path}/${entry.name}`;
    if (entry.isDirectory()) {
      if (!IGNORED_FOLDERS.has(entry.name) && !IGNORED_PATHS.has(below)) walk(root, below, found);
    } else if (entry.isFile()) {
      found.push(below);
    }
  }
}
