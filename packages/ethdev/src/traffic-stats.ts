/** Extended statistics of a queue direction from the counters of its slot, under ethdev's names. For drivers, in xstats(). */
import { native } from '@pollwire/native';
import type { CounterName } from './stats.js';
import { QueueCounters } from './stats.js';

/** Names behind a prefix such as `rx_q0_`, each with its counter. */
export type NamedCounters = readonly (readonly [name: string, counter: CounterName])[];

/** The frames by kind and size. */
export const FRAME_STATS: NamedCounters = [
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

/** All that passed, and the frames by kind and size. */
export const TRAFFIC_STATS: NamedCounters = [
  ['good_packets', 'PACKETS'],
  ['good_bytes', 'BYTES'],
  ...FRAME_STATS,
];

/** The values of `names` for the queue direction that `slot` serves, as `rx_q0_<name>` or `tx_q0_<name>`. */
export function* namedStats(
  direction: 'rx' | 'tx',
  queue: number,
  slot: number,
  names: NamedCounters,
): Generator<[name: string, value: bigint]> {
  const counters = new QueueCounters(native.slotCounters(slot), slot);
  for (const [name, counter] of names) yield [`${direction}_q${queue}_${name}`, counters.read(counter)];
}
