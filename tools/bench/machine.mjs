// @ts-check
// What a figure depends on: the machine and the versions that it was measured with.
import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release } from 'node:os';
import { ROOT } from '../lib/paths.mjs';
import { hugepages } from './hugepages.mjs';

/** @param {string} command @param {string[]} args */
function firstLine(command, args) {
  try {
    return (
      execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], cwd: ROOT }).split(
        '\n',
      )[0] ?? ''
    );
  } catch {
    return 'unknown';
  }
}

/** @typedef {{ cpu: string, kernel: string, node: string, dpdk: string, commit: string, load: number, memory: string }} Machine */

/** @returns {Machine} */
export function machine() {
  const dpdk = firstLine('dpkg-query', ['-W', 'dpdk']).split('\t').at(-1) ?? '';
  const dirty =
    firstLine('git', ['status', '--porcelain', '--untracked-files=no']) === '' ? '' : ' and changes';
  return {
    cpu: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`,
    kernel: release(),
    node: process.version,
    dpdk,
    commit: `${firstLine('git', ['rev-parse', '--short', 'HEAD'])}${dirty}`,
    load: loadavg()[0] ?? 0,
    memory: hugepages() ? 'hugepages' : 'ordinary memory',
  };
}

/** @param {Machine} machine */
export function describeMachine({ cpu, kernel, node, dpdk, commit, load, memory }) {
  return `${cpu}, kernel ${kernel}, Node ${node}, DPDK ${dpdk}, commit ${commit}, ${memory}, load ${load.toFixed(1)} at the start`;
}
