import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Burst } from './burst.js';
import type { Eal } from './eal.js';
import { testEal } from './fixtures/test-eal.js';
import { HeaderEdit } from './header-edit.js';
import type { Mempool } from './mempool.js';
import type { Port } from './port.js';

const DESTINATION = Uint8Array.of(2, 0, 0, 0, 0, 1);
const SOURCE = Uint8Array.of(2, 0, 0, 0, 0, 2);

let eal: Eal;
let pool: Mempool;
let burst: Burst;
let loop: Port;

beforeAll(async () => {
  eal = await testEal();
  pool = eal.createPool({ name: 'p', size: 64 });
  burst = eal.burst(8);
});
beforeEach(async () => {
  loop = await eal.attach('test_script0');
  await loop.start(pool);
});
afterEach(async () => {
  burst.free();
  await eal.detach(loop);
  expect(pool.inUse, 'mbufs out').toBe(0);
});
afterAll(() => eal.close());

/** Adds packets of 60 bytes with both addresses to the burst. */
function fill(count: number): void {
  for (let i = 0; i < count; i++) {
    const h = pool.alloc();
    eal.mbufs.setLength(h, 60);
    eal.mbufs.write(h, 0, Uint8Array.of(...DESTINATION, ...SOURCE));
    burst.push(h);
  }
}
function addresses(index: number): number[] {
  const bytes = new Uint8Array(12);
  eal.mbufs.read(burst.at(index), 0, bytes);
  return [...bytes];
}

it('exchanges the addresses of the packets that the holder of a burst owns', () => {
  fill(3);
  burst.first = 1;
  HeaderEdit.swapAddresses().apply(burst);
  burst.first = 0;
  expect(addresses(0)).toEqual([...DESTINATION, ...SOURCE]);
  for (const i of [1, 2]) expect(addresses(i)).toEqual([...SOURCE, ...DESTINATION]);
});

it('writes both addresses, until it is released', () => {
  const edit = HeaderEdit.setAddresses(SOURCE, SOURCE);
  fill(2);
  edit.apply(burst);
  for (const i of [0, 1]) expect(addresses(i)).toEqual([...SOURCE, ...SOURCE]);
  edit.release();
});

it('refuses addresses of another length, naming it', () => {
  expect(() => HeaderEdit.setAddresses(DESTINATION, new Uint8Array(5))).toThrow('6 and 5 bytes');
});

it('is made on the way from a queue to another, where a call per burst is not possible either', () => {
  fill(4);
  expect(loop.txQueue(0).burst(burst)).toBe(4);
  burst.clear();
  const edit = HeaderEdit.swapAddresses();
  expect(loop.rxQueue(0).forward(loop.txQueue(0), burst, 4, edit)).toBe(4 | (4 << 16));
  expect(loop.rxQueue(0).burst(burst)).toBe(4);
  for (let i = 0; i < 4; i++) expect(addresses(i)).toEqual([...SOURCE, ...DESTINATION]);
});
