import { Eal } from '@pollwire/ethdev';
import { native } from '@pollwire/native';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { drivers } from './index.js';

let eal: Eal;
beforeEach(async () => {
  eal = await Eal.init({ drivers, memory: 64, huge: 'never' }, () => undefined);
});
afterEach(async () => {
  await eal.close();
  expect(native.mbufViolations()).toBe(0);
});

it('is found by its alias', async () => {
  expect((await eal.attach('eth_null0')).driverName).toBe('net_null');
});

it('receives blank packets of the given size and swallows what is sent', async () => {
  const port = await eal.attach('net_null0,size=300');
  await port.start();
  const pool = eal.defaultPool();
  const burst = eal.burst(32);
  expect(port.rxQueue(0).burst(burst)).toBe(32);
  for (let i = 0; i < 32; i++)
    expect([eal.mbufs.pktLen(burst.at(i)), eal.mbufs.port(burst.at(i))]).toEqual([300, 0]);
  expect(pool.inUse).toBe(32);
  expect(port.txQueue(0).burst(burst)).toBe(32);
  expect(pool.inUse).toBe(0);
  expect(port.stats()).toMatchObject({ ipackets: 32n, ibytes: 9600n, opackets: 32n, obytes: 9600n });
  burst.release();
});

it('cuts packets to what one buffer holds', async () => {
  const pool = eal.createPool({ name: 'small', size: 64, dataRoom: 128 + 192 });
  const port = await eal.attach('net_null0,size=9000');
  await port.start(pool);
  const burst = eal.burst(1);
  port.rxQueue(0).burst(burst);
  expect(eal.mbufs.pktLen(burst.at(0))).toBe(192);
  burst.free();
  burst.release();
});

it('receives nothing with no-rx', async () => {
  const port = await eal.attach('net_null0,no-rx=1');
  await port.start();
  const burst = eal.burst(32);
  expect(port.rxQueue(0).burst(burst)).toBe(0);
  burst.release();
});

it('copies payloads with copy', async () => {
  const port = await eal.attach('net_null0,size=64,copy=1');
  await port.start();
  const burst = eal.burst(4);
  port.rxQueue(0).burst(burst);
  const dirty = eal.mbufs.data(burst.at(0));
  eal.mbufs.setBytes(burst.at(0), 0, new Uint8Array(64).fill(0xaa));
  expect(dirty).toBeGreaterThan(0);
  port.txQueue(0).burst(burst);
  port.rxQueue(0).burst(burst);
  for (let i = 0; i < burst.length; i++) expect(eal.mbufs.u8(burst.at(i), 20)).not.toBe(0xaa);
  burst.free();
  burst.release();
});

it('is up at 10 Gbps and cannot change its MTU', async () => {
  const port = await eal.attach('net_null0');
  expect(port.link).toEqual({ up: true, speed: 10_000, duplex: 'full', autoneg: false });
  expect(() => port.setMtu(9000)).toThrow(expect.objectContaining({ errno: -95 }));
  expect([port.promiscuous, port.allMulticast]).toEqual([true, true]);
});

describe('refuses', () => {
  it.each([
    ['size=13', 'net_null0: size=13 is outside 14 to 9728.'],
    ['size=64k', 'net_null0: size=64k is not a whole number.'],
    ['copy=2', 'net_null0: copy=2 is not 0 or 1.'],
    ['norx=1', "net_null0: unknown devarg 'norx'; did you mean 'no-rx'?"],
  ])('%s', async (args, message) => {
    await expect(eal.attach(`net_null0,${args}`)).rejects.toThrow(message);
  });
});
