// @ts-check
// Whether DPDK's testpmd is here to be measured against, and what to do where it is not.
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';

/** DPDK's testpmd: POLLWIRE_DPDK_TESTPMD, else the one on PATH. */
export const dpdkTestpmd = () => process.env.POLLWIRE_DPDK_TESTPMD || 'dpdk-testpmd';

/** What is missing with its remedy, or undefined. @returns {string | undefined} */
export function missingPeer() {
  if (cpus().length < 2) return 'The benchmark needs two CPUs: one for a prompt, one that forwards.';
  const found = spawnSync('sh', ['-c', 'command -v "$0"', dpdkTestpmd()], { stdio: 'ignore' }).status === 0;
  if (found) return undefined;
  return `There is no ${dpdkTestpmd()} to measure against: apt-get install dpdk, or set POLLWIRE_DPDK_TESTPMD.`;
}

/** True where a missing peer is a failure, as in .ci/run. */
export const peersRequired = () => process.env.POLLWIRE_REQUIRE_PEERS === '1';
