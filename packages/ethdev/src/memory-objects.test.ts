import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Eal } from './eal.js';
import { testEal } from './fixtures/test-eal.js';

let eal: Eal;
beforeEach(async () => {
  eal = await testEal();
});
afterEach(() => eal.close());

describe('pools', () => {
  it('have the defaults of testpmd', () => {
    const pool = eal.defaultPool();
    expect([pool.name, pool.dataRoom, pool.cacheSize, pool.segmentRoom]).toEqual([
      'mb_pool_0',
      2176,
      250,
      2048,
    ]);
    expect(eal.defaultPool()).toBe(pool);
  });

  it('are found by name', () => {
    const pool = eal.createPool({ name: 'p', size: 10 });
    expect(eal.pool('p')).toBe(pool);
    expect(() => eal.pool('q')).toThrow("There is no pool 'q'; existing: p.");
  });

  it('refuse to go while mbufs are out', () => {
    const pool = eal.createPool({ name: 'p', size: 10 });
    const h = pool.alloc();
    expect(() => eal.destroyPool('p')).toThrow(expect.objectContaining({ errno: -16 }));
    eal.mbufs.free(h);
    eal.destroyPool('p');
    expect(eal.pools.size).toBe(0);
  });

  it.each([
    [{ name: 'p', size: 0 }, 'Pool p: size 0 is outside 1 to'],
    [{ name: 'p', size: 1, dataRoom: 100 }, 'Pool p: dataRoom 100 is outside 192 to 65535'],
    [{ name: 'p', size: 1, cache: 513 }, 'Pool p: cache 513 is outside 0 to 512'],
    [{ name: '', size: 1 }, "A pool's name has 1 to 64 characters"],
  ])('refuse %j', (options, message) => {
    expect(() => eal.createPool(options)).toThrow(
      expect.objectContaining({ code: 'POOL_OPTIONS', message: expect.stringContaining(message) }),
    );
  });

  it('have unique names', () => {
    eal.createPool({ name: 'p', size: 1 });
    expect(() => eal.createPool({ name: 'p', size: 1 })).toThrow(
      expect.objectContaining({ code: 'POOL_EXISTS' }),
    );
  });

  it('say how large the arena is when they do not fit', () => {
    expect(() => eal.createPool({ name: 'p', size: 1_000_000 })).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/ARENA_FULL|NO_MEMORY/) }),
    );
  });
});

describe('rings', () => {
  it('return in order what was put in, up to their size', () => {
    const pool = eal.createPool({ name: 'p', size: 10 });
    const ring = eal.createRing({ name: 'r', size: 5 });
    const burst = eal.burst(8);
    pool.fill(burst, 8);
    const handles = [...burst.handles];
    expect(ring.enqueue(burst)).toBe(5);
    expect([ring.count, burst.first]).toEqual([5, 5]);
    burst.free(5);
    expect(ring.dequeue(burst)).toBe(5);
    expect([...burst.handles.subarray(0, 5)]).toEqual(handles.slice(0, 5));
    burst.free();
    expect(pool.inUse).toBe(0);
    burst.release();
  });

  it('move all or nothing in bulk', () => {
    const pool = eal.createPool({ name: 'p', size: 10 });
    const ring = eal.createRing({ name: 'r', size: 5, singleProducer: true, singleConsumer: true });
    const burst = eal.burst(8);
    pool.fill(burst, 8);
    expect([ring.enqueueBulk(burst), ring.enqueueBulk(burst, 4), ring.enqueueBulk(burst, 2, 4)]).toEqual([
      false,
      true,
      false,
    ]);
    burst.free(4);
    expect([ring.dequeueBulk(burst, 5), ring.dequeueBulk(burst, 4)]).toEqual([false, true]);
    burst.free();
    burst.release();
  });

  it('free what is inside when they go', () => {
    const pool = eal.createPool({ name: 'p', size: 10 });
    const ring = eal.createRing({ name: 'r', size: 8 });
    const burst = eal.burst(8);
    pool.fill(burst);
    ring.enqueue(burst);
    eal.destroyRing('r');
    expect(pool.inUse).toBe(0);
    burst.release();
  });
});
