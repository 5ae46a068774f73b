// @ts-check
// Decides whether a build step is stale: a hash over the names and contents of its inputs, kept beside its
// output. Contents, not times: a fresh clone or a branch switch changes times only.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * @param {string} root
 * @param {string[]} files paths relative to `root`
 * @param {string[]} [extra] other inputs: versions, options
 * @returns {string} hex digest
 */
export function fingerprint(root, files, extra = []) {
  const hash = createHash('sha256');
  for (const text of extra) hash.update(`${text}\0`);
  for (const file of files) {
    hash.update(`${file}\0`);
    hash.update(readFileSync(join(root, file)));
    hash.update('\0');
  }
  return hash.digest('hex');
}

/**
 * @param {string} path file that keeps a fingerprint
 * @returns {string | undefined}
 */
export function readStamp(path) {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/**
 * @param {string} path
 * @param {string} value
 */
export function writeStamp(path, value) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${value}\n`);
}

/**
 * Removed before a step starts, so that an interrupted step counts as stale.
 * @param {string} path
 */
export function clearStamp(path) {
  rmSync(path, { force: true });
}
