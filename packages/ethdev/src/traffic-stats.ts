/** Extended statistics about the frames of one queue direction, under ethdev's names. For drivers, behind a prefix such as `rx_q0_`. */
import type { CounterName } from './stats.js';

export const TRAFFIC_STATS: readonly (readonly [name: string, counter: CounterName])[] = [
  ['good_packets', 'PACKETS'],
  ['good_bytes', 'BYTES'],
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
