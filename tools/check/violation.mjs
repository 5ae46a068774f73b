// @ts-check
// The shape that every repository check shares, and small readers for them. A check is a module in this folder
// with `name` and `check(root)`; index.mjs lists them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listFiles } from '../lib/files.mjs';

/**
 * @typedef {object} Violation
 * @property {string} file from the root
 * @property {number} line 1-based; 0 when the file as a whole is meant
 * @property {string} message what is wrong
 * @property {string} remedy what to do
 *
 * @typedef {object} Result
 * @property {Violation[]} violations
 * @property {string} [skipped] why the check could not run
 *
 * @typedef {object} Check
 * @property {string} name
 * @property {(root: string) => Promise<Result>} check
 */

/**
 * One line for people and editors.
 * @param {Violation} violation
 */
export function format({ file, line, message, remedy }) {
  return `${file}:${line}: ${message}${remedy === '' ? '' : ` → ${remedy}`}`;
}

/**
 * Files below any of `folders` whose name matches.
 * @param {string} root
 * @param {string[]} folders
 * @param {RegExp} name
 */
export function filesIn(root, folders, name) {
  return folders.flatMap((folder) => listFiles(root, folder)).filter((file) => name.test(file));
}

/**
 * @param {string} root
 * @param {string} file
 */
export function readText(root, file) {
  return readFileSync(join(root, file), 'utf8');
}

/**
 * Line number of a position.
 * @param {string} text
 * @param {number} position
 */
export function lineAt(text, position) {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < position; at = text.indexOf('\n', at + 1)) line++;
  return line;
}

/** @param {string} file */
export function isTestFile(file) {
  return file.startsWith('test/') || /\.test\.[mc]?ts$/.test(file);
}
