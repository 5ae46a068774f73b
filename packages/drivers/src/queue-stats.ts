/** Extended statistics of a queue on a kernel interface: packets by size and kind, and every drop by its name. Called by xstats(). */
import type { NamedCounters } from '@pollwire/ethdev';
import { FRAME_STATS, namedStats } from '@pollwire/ethdev';

const OWN: Readonly<Record<'rx' | 'tx', NamedCounters>> = {
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
    yield* namedStats(direction, queue, slot, [...FRAME_STATS, ...OWN[direction]]);
  }
}
