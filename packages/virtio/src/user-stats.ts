/** Extended statistics of a virtio-user queue: DPDK's names for what passed, and every drop by its name. */
import type { NamedCounters } from '@pollwire/ethdev';
import { namedStats, TRAFFIC_STATS } from '@pollwire/ethdev';

const OWN: Readonly<Record<'rx' | 'tx', NamedCounters>> = {
  rx: [
    ['filtered_unicast', 'RX_FILTERED_UNICAST'],
    ['filtered_multicast', 'RX_FILTERED_MULTICAST'],
    ['filtered_vlan', 'RX_FILTERED_VLAN'],
    ['mbuf_alloc_failed', 'RX_NO_MBUF'],
    ['drop_bad_chain', 'RX_BAD_CHAIN'],
    ['drop_bad_length', 'RX_BAD_LENGTH'],
    ['bad_offload', 'RX_BAD_OFFLOAD'],
    ['ring_broken', 'BROKEN'],
  ],
  tx: [
    ['drop_bad_mbuf', 'TX_BAD_MBUF'],
    ['drop_too_big', 'TX_TOO_BIG'],
    ['ring_full', 'TX_RING_FULL'],
    ['ring_broken', 'BROKEN'],
  ],
};

/** @param vq virtqueue number: rx queue q is 2q, tx queue q is 2q+1 */
export function queueStats(vq: number, slot: number): Iterable<[name: string, value: bigint]> {
  const direction = vq % 2 === 0 ? 'rx' : 'tx';
  return namedStats(direction, vq >> 1, slot, [...TRAFFIC_STATS, ...OWN[direction]]);
}
