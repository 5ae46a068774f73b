/** Per-vring statistics under the names that DPDK's vhost library gives them, from the counters of a queue's slot. */
import type { CounterName } from '@pollwire/ethdev';
import { QueueCounters } from '@pollwire/ethdev';
import { native } from '@pollwire/native';

/** Name behind `rx_q0_` or `tx_q0_`, and the counters that add up to it. */
const VRING_STATS: readonly (readonly [name: string, counters: readonly CounterName[]])[] = [
  ['good_packets', ['PACKETS']],
  ['good_bytes', ['BYTES']],
  ['multicast_packets', ['MULTICAST']],
  ['broadcast_packets', ['BROADCAST']],
  ['undersize_packets', ['SIZE_UNDER']],
  ['size_64_packets', ['SIZE_64']],
  ['size_65_127_packets', ['SIZE_65']],
  ['size_128_255_packets', ['SIZE_128']],
  ['size_256_511_packets', ['SIZE_256']],
  ['size_512_1023_packets', ['SIZE_512']],
  ['size_1024_1518_packets', ['SIZE_1024']],
  ['size_1519_max_packets', ['SIZE_1519']],
  ['guest_notifications', ['NOTIFICATIONS']],
  ['guest_notifications_error', ['NOTIFICATIONS_FAILED']],
  ['guest_notifications_suppressed', ['NOTIFICATIONS_SUPPRESSED']],
  ['iotlb_hits', ['IOTLB_HITS']],
  ['iotlb_misses', ['IOTLB_MISSES']],
  ['mbuf_alloc_failed', ['RX_NO_MBUF']],
];

/** Beyond DPDK's list: every drop by its name, so that nothing is lost silently. */
const DROPS: Readonly<Record<'rx' | 'tx', readonly (readonly [string, CounterName])[]>> = {
  rx: [
    ['drop_bad_chain', 'RX_BAD_CHAIN'],
    ['drop_bad_address', 'RX_BAD_ADDRESS'],
    ['drop_bad_length', 'RX_BAD_LENGTH'],
    ['bad_offload', 'RX_BAD_OFFLOAD'],
    ['ring_broken', 'BROKEN'],
  ],
  tx: [
    ['drop_bad_chain', 'TX_BAD_CHAIN'],
    ['drop_bad_address', 'TX_BAD_ADDRESS'],
    ['drop_too_big', 'TX_TOO_BIG'],
    ['drop_bad_mbuf', 'TX_BAD_MBUF'],
    ['ring_full', 'TX_RING_FULL'],
    ['ring_broken', 'BROKEN'],
  ],
};

/** All statistics of one slot, `prefix` such as `rx_q0_`. */
export function* vringStats(
  direction: 'rx' | 'tx',
  queue: number,
  slot: number,
): Generator<[string, bigint]> {
  const counters = new QueueCounters(native.slotCounters(slot), slot);
  const prefix = `${direction}_q${queue}_`;
  for (const [name, parts] of VRING_STATS) yield [prefix + name, counters.sum(parts)];
  for (const [name, counter] of DROPS[direction]) yield [prefix + name, counters.read(counter)];
}
