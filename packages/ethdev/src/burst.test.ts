import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Burst } from './burst.js';
import type { Eal } from './eal.js';
import { testEal } from './fixtures/test-eal.js';
import type { Mempool } from './mempool.js';

let eal: Eal;
let pool: Mempool;
let burst: Burst;

beforeAll(async () => {
  eal = await testEal();
  pool = eal.createPool({ name: 'p', size: 64 });
  burst = eal.burst(32);
});
afterEach(() => expect(pool.inUse, 'mbufs out').toBe(0));
afterAll(() => eal.close());

it('is filled from a pool, all or nothing', () => {
  expect(pool.fill(burst)).toBe(32);
  expect(new Set(burst.handles).size).toBe(32);
  const second = new Burst(512);
  expect(pool.fill(second)).toBe(0);
  expect(second.length).toBe(0);
  second.release();
  burst.free();
});

it('frees from an index on', () => {
  pool.fill(burst, 10);
  burst.free(4);
  expect([burst.length, pool.inUse]).toEqual([4, 4]);
  burst.free();
  burst.free();
  expect(burst.length).toBe(0);
});

it('drops one mbuf and closes the gap', () => {
  pool.fill(burst, 3);
  const last = burst.at(2);
  burst.drop(0);
  expect([burst.length, burst.at(0), pool.inUse]).toEqual([2, last, 2]);
  burst.free();
});

it('takes handles until it is full', () => {
  const small = new Burst(2);
  pool.fill(burst, 3);
  expect([0, 1, 2].map((i) => small.push(burst.at(i)))).toEqual([true, true, false]);
  small.clear();
  small.release();
  burst.free();
});

it('reclaims only what nobody else owns', () => {
  pool.fill(burst, 8);
  const taken = eal.burst(8);
  for (let i = 0; i < 5; i++) taken.push(burst.at(i));
  burst.first = 5;
  burst.reclaim();
  expect([burst.length, burst.first, pool.inUse]).toEqual([0, 0, 5]);
  taken.free();
  taken.release();
});

it.each([0, 513, 1.5, Number.NaN])('refuses a capacity of %d', (capacity) => {
  expect(() => new Burst(capacity)).toThrow(expect.objectContaining({ code: 'BURST_SIZE' }));
});
