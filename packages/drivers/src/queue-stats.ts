/** Extended statistics of a queue on a kernel interface: packets by size and kind, and every drop by its name. Called by xstats(). */
import type { CounterName } from '@pollwire/ethdev';
import { QueueCounters } from '@pollwire/ethdev';
import { native } from '@pollwire/native';

type Names = readonly (readonly [name: string, counter: CounterName])[];

/** As net_vhost names them. */
const COMMON: Names = [
  ['multicast_packets', 'MULTICAST'],
  ['broadcast_packets', 'BROADCAST'],
  ['undersize_packets', 'SIZE_UNDER'],
  ['size_64_packets', 'SIZE_64'],
  ['size_65_127_packets', 'SIZE_65'],
  ['size_128_255_packets', 'SIZE_128'],
  ['size_256_511_packets', 'SIZE_256'],
  ['size_512_1023_packets', 'SIZE_512'],
  ['size_1024_1518_packets', 'SIZE_1024'],
  ['size_1519_max_packets', 'SIZE_1519'],
];

const OWN: Readonly<Record<'rx' | 'tx', Names>> = {
  rx: [
    ['mbuf_alloc_failed', 'RX_NO_MBUF'],
    ['drop_bad_length', 'RX_BAD_LENGTH'],
    ['bad_offload', 'RX_BAD_OFFLOAD'],
    ['broken', 'BROKEN'],
  ],
  tx: [
    ['drop_too_big', 'TX_TOO_BIG'],
    ['drop_bad_mbuf', 'TX_BAD_MBUF'],
    ['ring_full', 'TX_RING_FULL'],
    ['broken', 'BROKEN'],
  ],
};

/** A queue that was set up. */
export interface StatQueue {
  readonly direction: 'rx' | 'tx';
  readonly queue: number;
}

/** Of all queues, by their slots. */
export function* queueStats(slots: ReadonlyMap<number, StatQueue>): Generator<[string, bigint]> {
  for (const [slot, { direction, queue }] of slots) {
    const counters = new QueueCounters(native.slotCounters(slot), slot);
    for (const [name, counter] of [...COMMON, ...OWN[direction]]) {
      yield [`${direction}_q${queue}_${name}`, counters.read(counter)];
    }
  }
}
