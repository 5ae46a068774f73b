/**
 * The pool behind `ext-buffer=1`: buffers that hold any packet whole, lent to received mbufs whose own are too small. Made and
 * given back by VhostPort.
 */
import type { Eal, Mempool } from '@pollwire/ethdev';

/** Buffers per queue pair: a burst of 64 in the application's hands, and as many waiting at the port it sends to. */
const PER_QUEUE = 128;
/** 64 MiB, whatever the number of queues. */
const MOST = 1024;
/** The most that one mbuf can hold, headroom included. */
const BYTES = 65_472;

const nameOf = (port: string): string => `${port}_ext`;

/** The pool of the port `port`; one that packets kept from going with an earlier port of that name is taken over. */
export function createLargeBuffers(eal: Eal, port: string, queues: number): Mempool {
  const name = nameOf(port);
  const left = eal.pools.get(name);
  if (left !== undefined) return left;
  return eal.createPool({ name, size: Math.min(queues * PER_QUEUE, MOST), dataRoom: BYTES, cache: 0 });
}

/** Destroys the pool, unless packets are still out: then it stays until the EAL is closed, or for the next port of that name. */
export function releaseLargeBuffers(eal: Eal, pool: Mempool): void {
  if (pool.inUse === 0) eal.destroyPool(pool.name);
}
