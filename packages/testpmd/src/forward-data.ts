/**
 * What goes between Forwarding (main isolate) and forward-lcore.ts: data of a launch, messages to a run, and the layout of the counters that
 * come back. Everything survives structured clone.
 */
import type { ChecksumOffloads, EngineName, NoisySettings, TrafficSettings } from './settings.js';
import { MAX_BURST } from './settings.js';
import type { StreamPlan } from './streams.js';

/** Index of each counter in a stream's block of doubles. Single writer: the stream's lcore. */
export const STREAM = {
  RX: 0,
  TX: 1,
  DROPPED: 2,
  BAD_IP: 3,
  BAD_L4: 4,
  BAD_OUTER_IP: 5,
  BAD_OUTER_L4: 6,
  /** Packets thrown away when the receive queue was flushed; not among RX. */
  FLUSHED: 7,
  /** Bursts by number of packets received, 0 to 512; only when recorded. */
  RX_BURSTS: 8,
  TX_BURSTS: 8 + MAX_BURST + 1,
} as const;

/** Doubles per stream: one cache line, and two histograms when bursts are recorded. */
export const streamDoubles = (recordBursts: boolean): number =>
  recordBursts ? Math.ceil((8 + 2 * (MAX_BURST + 1)) / 8) * 8 : 8;

/** One stream as data. */
export interface StreamData extends StreamPlan {
  /** Destination MAC for engines that address packets. */
  peer: string;
}

/** What every engine may read. Everything here is fixed while forwarding runs. */
export interface EngineSettings {
  burst: number;
  retry: boolean;
  retryDelayUs: number;
  retryCount: number;
  recordBursts: boolean;
  /** Name of the pool that generated packets come from. */
  pool: string;
  traffic: TrafficSettings;
  noisy: NoisySettings;
  checksum: ReadonlyMap<number, ChecksumOffloads>;
  tso: ReadonlyMap<number, number>;
  txVlan: ReadonlyMap<number, number>;
}

/** Data of a launch. */
export interface ForwardData {
  engine: EngineName;
  settings: EngineSettings;
  /** Their counters follow each other in this order. */
  streams: readonly StreamData[];
  verbose: number;
  /** Throw away what waits in the receive queues first. */
  flush: boolean;
  /** txonly bursts per stream before the engine starts. */
  txFirst: number;
}

/** What may change while forwarding runs; obeyed from the next burst on. */
export interface ForwardMessage {
  verbose: number;
}
