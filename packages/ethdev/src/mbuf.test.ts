import { L } from '@pollwire/native';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Eal } from './eal.js';
import { testEal } from './fixtures/test-eal.js';
import type { Mbufs } from './mbuf.js';
import type { Mempool } from './mempool.js';

let eal: Eal;
let pool: Mempool;
let mbufs: Mbufs;

beforeAll(async () => {
  eal = await testEal();
  pool = eal.createPool({ name: 'p', size: 64, dataRoom: 128 + 256 });
  mbufs = eal.mbufs;
});
afterEach(() => expect(pool.inUse, 'mbufs out').toBe(0));
afterAll(() => eal.close());

const bytes = (length: number, start = 0) => Uint8Array.from({ length }, (_, i) => (start + i) & 0xff);

function packet(length: number): number {
  const h = mbufs.from(pool, bytes(length));
  expect(h).toBeGreaterThan(0);
  return h;
}

it('gives a fresh mbuf headroom, tailroom and its pool', () => {
  const h = pool.alloc();
  expect([mbufs.headroom(h), mbufs.tailroom(h), mbufs.nbSegs(h), mbufs.next(h), mbufs.pool(h)]).toEqual([
    128,
    256,
    1,
    0,
    pool.index,
  ]);
  mbufs.free(h);
});

it('reads what native code wrote, and the other way round', () => {
  const h = packet(60);
  expect([mbufs.pktLen(h), mbufs.dataLen(h), mbufs.isLocal(h)]).toEqual([60, 60, true]);
  expect(mbufs.u16be(h, 12)).toBe(0x0c0d);
  mbufs.setU32be(h, 26, 0xc0a80001);
  const copy = new Uint8Array(4);
  expect(mbufs.read(h, 26, copy)).toBe(4);
  expect(copy).toEqual(Uint8Array.of(0xc0, 0xa8, 0, 1));
  expect(mbufs.u32be(h, 26)).toBe(0xc0a80001);
  mbufs.free(h);
});

describe.each([
  ['port', 65_535],
  ['vlanTci', 0xabc],
  ['vlanTciOuter', 0xdef],
  ['olFlags', L.OL_TX_IPV4 | L.OL_TX_IP_CKSUM],
  ['packetType', 0xffff_ffff],
  ['hashRss', 0xdead_beef],
  ['tsoSegsz', 1448],
  ['user', 0x1234_5678],
  ['pktLen', 100_000],
  ['dataLen', 1000],
  ['dataOff', 10],
] as const)('field %s', (field, value) => {
  it('keeps its value and touches no other', () => {
    const h = packet(20);
    const setter = `set${field[0]?.toUpperCase()}${field.slice(1)}` as 'setPort';
    const all = () =>
      (
        [
          'port',
          'vlanTci',
          'vlanTciOuter',
          'olFlags',
          'packetType',
          'hashRss',
          'tsoSegsz',
          'pktLen',
          'dataLen',
          'dataOff',
          'l2Len',
          'l3Len',
          'l4Len',
          'nbSegs',
          'refcnt',
          'pool',
        ] as const
      )
        .filter((name) => name !== field)
        .map((name) => mbufs[name](h));
    const before = all();
    const old = mbufs[field](h);
    mbufs[setter](h, value);
    expect(mbufs[field](h)).toBe(value);
    expect(all()).toEqual(before);
    mbufs[setter](h, old);
    mbufs.free(h);
  });
});

it('keeps header lengths', () => {
  const h = packet(60);
  mbufs.setHeaderLengths(h, 14, 20, 8);
  expect([mbufs.l2Len(h), mbufs.l3Len(h), mbufs.l4Len(h)]).toEqual([14, 20, 8]);
  mbufs.free(h);
});

it.each([0, 1, 2, 4])('swaps addresses at an offset of %d', (shift) => {
  const h = packet(40);
  mbufs.adj(h, shift);
  const before = mbufs.toBytes(h);
  mbufs.swapMacs(h);
  const after = mbufs.toBytes(h);
  expect(after.subarray(0, 6)).toEqual(before.subarray(6, 12));
  expect(after.subarray(6, 12)).toEqual(before.subarray(0, 6));
  expect(after.subarray(12)).toEqual(before.subarray(12));
  mbufs.free(h);
});

it('swaps any two byte ranges', () => {
  const h = packet(40);
  mbufs.swap(h, 26, 30, 4);
  expect(mbufs.view(h, 26, 8)).toEqual(Uint8Array.of(30, 31, 32, 33, 26, 27, 28, 29));
  mbufs.free(h);
});

it('prepends into the headroom, and refuses more than there is', () => {
  const h = packet(20);
  expect(mbufs.prepend(h, 4)).toBe(mbufs.data(h));
  expect([mbufs.pktLen(h), mbufs.dataLen(h), mbufs.headroom(h)]).toEqual([24, 24, 124]);
  expect(mbufs.prepend(h, 125)).toBe(-1);
  expect(mbufs.pktLen(h)).toBe(24);
  mbufs.free(h);
});

it('shortens at both ends, and refuses more than there is', () => {
  const h = packet(20);
  expect([mbufs.adj(h, 5), mbufs.trim(h, 5), mbufs.adj(h, 11), mbufs.trim(h, 11)]).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(mbufs.toBytes(h)).toEqual(bytes(10, 5));
  mbufs.free(h);
});

it('holds a packet larger than one buffer in several segments', () => {
  const h = packet(700);
  expect([mbufs.pktLen(h), mbufs.nbSegs(h)]).toEqual([700, 3]);
  expect(mbufs.toBytes(h)).toEqual(bytes(700));
  expect(mbufs.write(h, 250, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10))).toBe(10);
  expect(mbufs.toBytes(h).subarray(250, 260)).toEqual(bytes(10, 1));
  mbufs.free(h);
});

it('finds the data of a clone in the mbuf it belongs to', () => {
  const h = packet(50);
  const clone = mbufs.clone(h, pool);
  expect(mbufs.data(clone)).toBe(mbufs.data(h));
  expect(mbufs.u8(clone, 7)).toBe(7);
  mbufs.free(h);
  expect(mbufs.toBytes(clone)).toEqual(bytes(50));
  mbufs.free(clone);
});

it('copies deeply', () => {
  const h = packet(300);
  const copy = mbufs.copy(h, pool);
  mbufs.setU8(h, 0, 99);
  expect(mbufs.toBytes(copy)).toEqual(bytes(300));
  mbufs.free(h);
  mbufs.free(copy);
});

it('returns 0 and keeps nothing when the pool is too small for the packet', () => {
  const tiny = eal.createPool({ name: 'tiny', size: 2, dataRoom: 192, cache: 0 });
  expect(mbufs.from(tiny, bytes(1000))).toBe(0);
  expect(tiny.inUse).toBe(0);
  eal.destroyPool('tiny');
});
