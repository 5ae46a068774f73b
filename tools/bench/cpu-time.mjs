// @ts-check
// CPU time of a process's threads as the kernel counts it, so that what else the machine does hardly shows in a rate, and is seen where it
// shows in a delay.
import { readdirSync, readFileSync } from 'node:fs';

/**
 * Nanoseconds that each thread of `pid` has run, by thread id.
 * @param {number} pid
 * @returns {Map<string, number>}
 */
export function threadTimes(pid) {
  const tasks = `/proc/${pid}/task`;
  /** @type {Map<string, number>} */
  const times = new Map();
  for (const id of readdirSync(tasks)) {
    try {
      times.set(id, threadTime(`${tasks}/${id}`));
    } catch {
      // The thread has just ended.
    }
  }
  return times;
}

/**
 * Nanoseconds that all threads of `pid` were ready to run and had no CPU; 0 on a kernel without scheduler statistics.
 * @param {number} pid
 */
export function waitedForCpu(pid) {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).reduce((sum, id) => {
    try {
      return sum + (Number(readFileSync(`${tasks}/${id}/schedstat`, 'utf8').split(' ')[1]) || 0);
    } catch {
      return sum;
    }
  }, 0);
}

/** @param {string} task folder of one thread in /proc */
function threadTime(task) {
  try {
    return Number(readFileSync(`${task}/schedstat`, 'utf8').split(' ')[0]);
  } catch {
    // A kernel without scheduler statistics: utime and stime of proc(5), in ticks of 10 ms.
    const fields = readFileSync(`${task}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) * 1e7;
  }
}

/**
 * Time that the busiest thread ran between two samples, nanoseconds.
 * @param {Map<string, number>} before
 * @param {Map<string, number>} after
 */
export function busiest(before, after) {
  return Math.max(0, ...[...after].map(([id, now]) => now - (before.get(id) ?? 0)));
}

/**
 * Time that all threads ran between two samples, nanoseconds.
 * @param {Map<string, number>} before
 * @param {Map<string, number>} after
 */
export function total(before, after) {
  return [...after].reduce((sum, [id, now]) => sum + now - (before.get(id) ?? 0), 0);
}
