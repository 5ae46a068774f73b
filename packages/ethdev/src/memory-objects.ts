/** Named pools and rings of one Eal: made once, found by name, destroyed together. */
import { PollwireError } from '@pollwire/native';
import { Burst } from './burst.js';
import type { PoolOptions } from './mempool.js';
import { Mempool } from './mempool.js';
import type { RingOptions } from './ring.js';
import { Ring } from './ring.js';
import { sentenceList } from './suggest.js';

const DEFAULT_POOL = { name: 'mb_pool_0', size: 8192 } as const;
const MAX_NAME = 64;

export class MemoryObjects {
  readonly pools = new Map<string, Mempool>();
  readonly rings = new Map<string, Ring>();

  createPool(options: PoolOptions): Mempool {
    checkName('pool', options.name, this.pools);
    const pool = Mempool.create(options);
    this.pools.set(options.name, pool);
    return pool;
  }

  createRing(options: RingOptions): Ring {
    checkName('ring', options.name, this.rings);
    const ring = Ring.create(options);
    this.rings.set(options.name, ring);
    return ring;
  }

  pool(name: string): Mempool {
    return find('pool', name, this.pools);
  }

  ring(name: string): Ring {
    return find('ring', name, this.rings);
  }

  defaultPool(): Mempool {
    return this.pools.get(DEFAULT_POOL.name) ?? this.createPool(DEFAULT_POOL);
  }

  destroyPool(name: string): void {
    this.pool(name).destroy();
    this.pools.delete(name);
  }

  destroyRing(name: string): void {
    const ring = this.ring(name);
    const scratch = new Burst(32);
    ring.destroy(scratch);
    scratch.release();
    this.rings.delete(name);
  }

  /** Destroys everything; returns one sentence per thing that refused. */
  destroyAll(): string[] {
    const complaints: string[] = [];
    const attempt = (destroy: (name: string) => void, names: Iterable<string>) => {
      for (const name of [...names]) {
        try {
          destroy(name);
        } catch (error) {
          complaints.push((error as Error).message);
        }
      }
    };
    attempt((name) => this.destroyRing(name), this.rings.keys());
    attempt((name) => this.destroyPool(name), this.pools.keys());
    return complaints;
  }
}

function checkName(what: 'pool' | 'ring', name: string, taken: ReadonlyMap<string, unknown>): void {
  if (name.length < 1 || name.length > MAX_NAME) {
    throw new PollwireError(
      `${what.toUpperCase()}_OPTIONS`,
      `A ${what}'s name has 1 to ${MAX_NAME} characters; '${name}' has not.`,
    );
  }
  if (taken.has(name)) {
    throw new PollwireError(
      `${what.toUpperCase()}_EXISTS`,
      `There is a ${what} '${name}' already; choose another name.`,
    );
  }
}

function find<T>(what: 'pool' | 'ring', name: string, all: ReadonlyMap<string, T>): T {
  const found = all.get(name);
  if (found !== undefined) return found;
  throw new PollwireError(
    `${what.toUpperCase()}_UNKNOWN`,
    `There is no ${what} '${name}'; existing: ${sentenceList([...all.keys()])}.`,
  );
}
