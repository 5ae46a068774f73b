/** How many mbufs the ports need, and the pools that hold them. Called once at start-up. */
import type { Eal, Mempool } from '@pollwire/ethdev';
import { L } from '@pollwire/native';
import type { Output } from './output.js';
import type { Settings } from './settings.js';

export interface PortDemand {
  rxQueues: number;
  txQueues: number;
  rxDescriptors: number;
  txDescriptors: number;
}

export interface PoolDemand {
  ports: readonly PortDemand[];
  /** Forwarding lcores and the main lcore: each may fill a cache. */
  lcores: number;
  cache: number;
  burst: number;
  /** Segments of a generated packet. */
  segments: number;
  /** Packets that each stream may hold back (noisy engine). */
  held: number;
}

/** Ports attached later find buffers for this many of them. */
export const SPARE_PORTS = 2;
const SPARE_DESCRIPTORS = 512;
const LEAST = 4096;

/**
 * Number of mbufs, rounded up to a multiple of 1024 and at least 4096:
 *
 *   Σ ports (rxq × rxd + txq × txd × segments + rxq × held)
 *   + 2 spare ports × (largest rxq × 512 + largest txq × 512 × segments)
 *   + lcores × (1.5 × cache + 2 × burst × segments)
 *
 * DPDK counts 32 ports of 2048 + 2048 descriptors whatever exists (163,000 mbufs, 390 MB); this counts what is there. A cache holds up
 * to 1.5 times its size before it gives back; a stream has one burst received and one being sent.
 */
export function mbufsNeeded(demand: PoolDemand): number {
  const { ports, segments } = demand;
  const used = ports.map(
    (p) => p.rxQueues * (p.rxDescriptors + demand.held) + p.txQueues * p.txDescriptors * segments,
  );
  const rxq = Math.max(1, ...ports.map((p) => p.rxQueues));
  const txq = Math.max(1, ...ports.map((p) => p.txQueues));
  const spare = SPARE_PORTS * SPARE_DESCRIPTORS * (rxq + txq * segments);
  const lcores = demand.lcores * (Math.ceil(demand.cache * 1.5) + 2 * demand.burst * segments);
  const total = used.reduce((sum, n) => sum + n, 0) + spare + lcores;
  return Math.max(LEAST, Math.ceil(total / 1024) * 1024);
}

/** Makes `mb_pool_0` and, for each further --mbuf-size, `mb_pool_0_1` and so on; prints DPDK's lines. Throws ARENA_FULL naming -m. */
export function createPools(eal: Eal, settings: Settings, out: Output): Mempool[] {
  const demand: PoolDemand = {
    ports: [...eal.ports.values()].map((port) => ({
      rxQueues: settings.rxq,
      txQueues: settings.txq,
      rxDescriptors: settings.rxd || port.info.rxDescriptors.default,
      txDescriptors: settings.txd || port.info.txDescriptors.default,
    })),
    lcores: eal.lcores.length + 1,
    cache: settings.mbufCache,
    burst: settings.burst,
    segments: settings.traffic.segments.length,
    held: settings.engine === 'noisy' ? settings.noisy.bufferSize : 0,
  };
  const size = settings.totalMbufs ?? mbufsNeeded(demand);
  // A cache must leave most of a small pool to the others.
  const cache = Math.min(settings.mbufCache, Math.floor(size / (2 * (eal.lcores.length + 1))));
  return settings.mbufSizes.map((dataRoom, index) => {
    const name = index === 0 ? 'mb_pool_0' : `mb_pool_0_${index}`;
    const pool = eal.createPool({ name, size, dataRoom, cache });
    out.error(`testpmd: create a new mbuf pool <${name}>: n=${size}, size=${dataRoom}, socket=0`);
    out.error('testpmd: preferred mempool ops selected: ring_mp_mc');
    return pool;
  });
}

/** Longest segment that txonly and flowgen may ask for. */
export const segmentRoom = (settings: Settings): number =>
  (settings.mbufSizes[0] as number) - L.MBUF_HEADROOM;
