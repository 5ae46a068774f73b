// @ts-check
// The benchmark's table, for people and as JSON, with the machine it was measured on.
import { execFileSync } from 'node:child_process';
import { cpus, release } from 'node:os';

/** @typedef {{ cell: string, ours: number, dpdk: number, ratio: number }} Row */

/** @param {string} command @param {string[]} args */
function firstLine(command, args) {
  try {
    return (
      execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n')[0] ??
      ''
    );
  } catch {
    return 'unknown';
  }
}

export function machine() {
  return {
    cpu: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`,
    kernel: release(),
    node: process.version,
    dpdk: firstLine('dpkg-query', ['-W', 'dpdk']),
    commit: firstLine('git', ['rev-parse', '--short', 'HEAD']),
  };
}

const mpps = (/** @type {number} */ value) => (value / 1e6).toFixed(2).padStart(8);

/** @param {Row[]} rows */
export function table(rows) {
  const width = Math.max(4, ...rows.map((row) => row.cell.length));
  const head = `| ${'cell'.padEnd(width)} | ours M/s | DPDK M/s | ratio |\n|${'-'.repeat(width + 2)}|---------:|---------:|------:|`;
  const body = rows.map(
    (r) =>
      `| ${r.cell.padEnd(width)} | ${mpps(r.ours)} | ${mpps(r.dpdk)} | ${r.ratio.toFixed(2).padStart(5)} |`,
  );
  return [head, ...body].join('\n');
}
