// @ts-check
// Whether the programs of the benchmark get hugepages: all of them or none, decided once, so that the two sides of a ratio are alike.
import { readFileSync } from 'node:fs';

/** Memory of one program, MiB, and how many of them run at a time. */
export const MEMORY_MIB = 384;
const AT_A_TIME = 2;

/**
 * Free memory in hugepages, MiB.
 * @param {string} meminfo contents of /proc/meminfo
 */
export function freeHugeMiB(meminfo) {
  const number = (/** @type {string} */ key) =>
    Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(meminfo)?.[1] ?? 0);
  return (number('HugePages_Free') * number('Hugepagesize')) / 1024;
}

/** @type {boolean | undefined} */
let enough;

/** True when there are enough of them for every program that runs at a time; the same answer for the whole run. */
export function hugepages() {
  enough ??= freeHugeMiB(readFileSync('/proc/meminfo', 'utf8')) >= MEMORY_MIB * AT_A_TIME;
  return enough;
}
