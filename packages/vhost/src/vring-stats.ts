/** Per-vring statistics under the names that DPDK's vhost library gives them, from the counters of a queue's slot. */
import type { NamedCounters } from '@pollwire/ethdev';
import { namedStats, TRAFFIC_STATS } from '@pollwire/ethdev';
import type { Vring } from './vring.js';

/** Name behind `rx_q0_` or `tx_q0_`, and its counter. */
const VRING_STATS: NamedCounters = [
  ...TRAFFIC_STATS,
  ['guest_notifications', 'NOTIFICATIONS'],
  ['guest_notifications_error', 'NOTIFICATIONS_FAILED'],
  ['guest_notifications_suppressed', 'NOTIFICATIONS_SUPPRESSED'],
  ['iotlb_hits', 'IOTLB_HITS'],
  ['iotlb_misses', 'IOTLB_MISSES'],
  ['mbuf_alloc_failed', 'RX_NO_MBUF'],
];

/** Beyond DPDK's list: every drop by its name, so that nothing is lost silently, and work done for a peer that could not. */
const DROPS: Readonly<Record<'rx' | 'tx', NamedCounters>> = {
  rx: [
    ['drop_bad_chain', 'RX_BAD_CHAIN'],
    ['drop_bad_address', 'RX_BAD_ADDRESS'],
    ['drop_bad_length', 'RX_BAD_LENGTH'],
    ['bad_offload', 'RX_BAD_OFFLOAD'],
    ['ring_broken', 'BROKEN'],
    ['log_missed', 'LOG_MISSED'],
  ],
  tx: [
    ['drop_bad_chain', 'TX_BAD_CHAIN'],
    ['drop_bad_address', 'TX_BAD_ADDRESS'],
    ['drop_too_big', 'TX_TOO_BIG'],
    ['drop_bad_mbuf', 'TX_BAD_MBUF'],
    ['drop_no_mbuf', 'TX_NO_MBUF'],
    ['segmented', 'TX_SEGMENTED'],
    ['ring_full', 'TX_RING_FULL'],
    ['ring_broken', 'BROKEN'],
    ['log_missed', 'LOG_MISSED'],
  ],
};

/** All statistics of the vring that `slot` serves. */
export function vringStats(
  direction: 'rx' | 'tx',
  queue: number,
  slot: number,
): Iterable<[name: string, value: bigint]> {
  return namedStats(direction, queue, slot, [...VRING_STATS, ...DROPS[direction]]);
}

/** The same for a vring of the library, by name alone; zeros when no burst uses it. */
export function ringStats(ring: Vring): Map<string, bigint> {
  const names = [...VRING_STATS, ...DROPS[ring.direction]];
  if (ring.slot < 0) return new Map(names.map(([name]) => [name, 0n]));
  const prefix = `${ring.direction}_q0_`;
  const all = vringStats(ring.direction, 0, ring.slot);
  return new Map(Array.from(all, ([name, value]) => [name.slice(prefix.length), value]));
}
