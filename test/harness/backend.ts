/**
 * The back-end under test of the interop scenarios: ours, or DPDK's when POLLWIRE_INTEROP_BACKEND=dpdk. Running a scenario
 * against DPDK proves the scenario; what DPDK cannot do by design is a named limit here, never a name compared in a test.
 */
import { startDpdk } from './dpdk.js';
import type { PeerName } from './peers.js';
import { startPollwire } from './pollwire.js';
import type { Scope } from './scope.js';
import type { TestpmdOptions } from './testpmd-options.js';
import type { TestpmdSession } from './testpmd-session.js';

export interface Backend {
  kind: 'pollwire' | 'dpdk';
  /** Peers the back-end itself needs, beside those of the scenario. */
  needs: readonly PeerName[];
  /** `port stop` and `port detach` of a port attached later work while others forward. */
  removesPortsWhileForwarding: boolean;
  start: (scope: Scope, options: TestpmdOptions) => Promise<TestpmdSession>;
}

const backends: Record<Backend['kind'], Backend> = {
  pollwire: { kind: 'pollwire', needs: [], removesPortsWhileForwarding: true, start: startPollwire },
  dpdk: { kind: 'dpdk', needs: ['dpdk'], removesPortsWhileForwarding: false, start: startDpdk },
};

/** The back-end that POLLWIRE_INTEROP_BACKEND names, `pollwire` by default. */
export function interopBackend(): Backend {
  const name = process.env.POLLWIRE_INTEROP_BACKEND ?? 'pollwire';
  const found = Object.values(backends).find((backend) => backend.kind === name);
  if (found === undefined) {
    throw new Error(`POLLWIRE_INTEROP_BACKEND=${name} is unknown; use ${Object.keys(backends).join(' or ')}`);
  }
  return found;
}
