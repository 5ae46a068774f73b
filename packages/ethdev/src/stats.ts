/**
 * Counters of queues and the statistics made of them: basic eight, per queue, extended (ethdev's names and order). Counters live in the
 * arena, one u64 each, written by whoever polls the queue; this file reads them, and writes those of script queues.
 */
import { arena, L, native } from '@pollwire/native';

/** Names of the counters of a slot, as in the generated layout without the prefix: 'PACKETS', 'RX_NO_MBUF', … */
export type CounterName = {
  [K in keyof typeof L]: K extends `COUNTER_${infer N}` ? (N extends 'COUNT' ? never : N) : never;
}[keyof typeof L];

/** Basic statistics of a port. */
export interface PortStats {
  ipackets: bigint;
  opackets: bigint;
  ibytes: bigint;
  obytes: bigint;
  /** Received but dropped because the application did not poll fast enough (0 for drivers that cannot tell). */
  imissed: bigint;
  ierrors: bigint;
  oerrors: bigint;
  rxNombuf: bigint;
}

/** One direction of one queue. */
export interface QueueStats {
  packets: bigint;
  bytes: bigint;
  errors: bigint;
  nombuf: bigint;
}

/** Named 64-bit value. */
export type Xstat = [name: string, value: bigint];

const RX_ERRORS = ['RX_BAD_CHAIN', 'RX_BAD_ADDRESS', 'RX_BAD_LENGTH', 'RX_BAD_OFFLOAD'] as const;
const TX_ERRORS = ['TX_BAD_CHAIN', 'TX_BAD_ADDRESS', 'TX_TOO_BIG', 'TX_BAD_MBUF', 'TX_NO_MBUF'] as const;

const indexOf = (name: CounterName): number => L[`COUNTER_${name}`];

/** The counters of one queue direction, readable from the main isolate at any time. */
export class QueueCounters {
  /** Values subtracted from what the arena says: a script queue's writer cannot be asked to start again at 0. */
  private readonly base = new Map<CounterName, bigint>();

  /**
   * @param at byte offset of the counters in the arena
   * @param slot native slot, or -1 for a script queue
   */
  constructor(
    readonly at: number,
    private readonly slot: number,
  ) {}

  read(name: CounterName): bigint {
    return arena().readU64(this.at + indexOf(name) * 8) - (this.base.get(name) ?? 0n);
  }

  /** Sum of several. */
  sum(names: readonly CounterName[]): bigint {
    return names.reduce((total, name) => total + this.read(name), 0n);
  }

  reset(): void {
    if (this.slot >= 0) {
      native.slotResetCounters(this.slot);
      return;
    }
    for (const name of ['PACKETS', 'BYTES'] as const)
      this.base.set(name, (this.base.get(name) ?? 0n) + this.read(name));
  }

  stats(rx: boolean): QueueStats {
    return {
      packets: this.read('PACKETS'),
      bytes: this.read('BYTES'),
      errors: this.sum(rx ? RX_ERRORS : TX_ERRORS),
      nombuf: rx ? this.read('RX_NO_MBUF') : 0n,
    };
  }
}

/** Bytes that a counter block takes. */
export const COUNTERS_BYTES = L.COUNTER_COUNT * 8;

/** Adds to a 64-bit counter as two 32-bit words, without making a bigint. Single writer. */
function add(u32: Uint32Array, word: number, by: number): void {
  const low = (u32[word] as number) + by;
  u32[word] = low;
  if (low > 0xffff_ffff) u32[word + 1] = (u32[word + 1] as number) + 1;
}

/** Counts a burst that went through a script queue. Called in the isolate that polls it. */
export function countScriptBurst(u32: Uint32Array, at: number, packets: number, bytes: number): void {
  if (packets === 0) return;
  add(u32, (at >>> 2) + indexOf('PACKETS') * 2, packets);
  add(u32, (at >>> 2) + indexOf('BYTES') * 2, bytes);
}

/** Sums queues into the basic eight. */
export function portStats(rx: readonly QueueStats[], tx: readonly QueueStats[]): PortStats {
  const total = (queues: readonly QueueStats[], key: keyof QueueStats) =>
    queues.reduce((sum, q) => sum + q[key], 0n);
  return {
    ipackets: total(rx, 'packets'),
    opackets: total(tx, 'packets'),
    ibytes: total(rx, 'bytes'),
    obytes: total(tx, 'bytes'),
    imissed: 0n,
    ierrors: total(rx, 'errors'),
    oerrors: total(tx, 'errors'),
    rxNombuf: total(rx, 'nombuf'),
  };
}

/** Basic eight, then per-queue values, in the order scripts expect; drivers' own names follow (Port.xstats appends them). */
export function basicXstats(stats: PortStats, rx: readonly QueueStats[], tx: readonly QueueStats[]): Xstat[] {
  return [
    ['rx_good_packets', stats.ipackets],
    ['tx_good_packets', stats.opackets],
    ['rx_good_bytes', stats.ibytes],
    ['tx_good_bytes', stats.obytes],
    ['rx_missed_errors', stats.imissed],
    ['rx_errors', stats.ierrors],
    ['tx_errors', stats.oerrors],
    ['rx_mbuf_allocation_errors', stats.rxNombuf],
    ...rx.flatMap((q, i): Xstat[] => [
      [`rx_q${i}_packets`, q.packets],
      [`rx_q${i}_bytes`, q.bytes],
      [`rx_q${i}_errors`, q.errors],
    ]),
    ...tx.flatMap((q, i): Xstat[] => [
      [`tx_q${i}_packets`, q.packets],
      [`tx_q${i}_bytes`, q.bytes],
    ]),
  ];
}
