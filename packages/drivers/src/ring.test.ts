import type { Burst, Mempool, Port } from '@pollwire/ethdev';
import { Eal } from '@pollwire/ethdev';
import { native } from '@pollwire/native';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { drivers } from './index.js';

let eal: Eal;
let pool: Mempool;
let burst: Burst;
beforeEach(async () => {
  eal = await Eal.init({ drivers, memory: 64, huge: 'never' }, () => undefined);
  pool = eal.createPool({ name: 'p', size: 512 });
  burst = eal.burst(32);
});
afterEach(async () => {
  burst.release();
  await eal.close();
  expect(native.mbufViolations()).toBe(0);
});

async function attach(...devices: string[]): Promise<Port[]> {
  const ports: Port[] = [];
  for (const device of devices) {
    const port = await eal.attach(device);
    await port.start(pool);
    ports.push(port);
  }
  return ports;
}

/** Sends `count` packets numbered from 0. */
function send(port: Port, count: number, queue = 0): number {
  pool.fill(burst, count);
  for (let i = 0; i < count; i++) {
    eal.mbufs.setLength(burst.at(i), 60);
    eal.mbufs.setUser(burst.at(i), i);
  }
  const sent = port.txQueue(queue).burst(burst);
  burst.free(sent);
  burst.clear();
  return sent;
}

/** Receives everything and returns the numbers. */
function receive(port: Port, queue = 0): number[] {
  const numbers: number[] = [];
  while (port.rxQueue(queue).burst(burst) > 0) {
    for (let i = 0; i < burst.length; i++) numbers.push(eal.mbufs.user(burst.at(i)));
    burst.free();
  }
  return numbers;
}

it('loops each queue to itself, in order', async () => {
  const port = await eal.attach('net_ring0');
  port.configure({ rxQueues: 2, txQueues: 2 });
  await port.start(pool);
  expect([send(port, 5, 0), send(port, 3, 1)]).toEqual([5, 3]);
  expect([receive(port, 1), receive(port, 0)]).toEqual([
    [0, 1, 2],
    [0, 1, 2, 3, 4],
  ]);
  expect(port.stats()).toMatchObject({ ipackets: 8n, opackets: 8n, ibytes: 480n });
  expect(pool.inUse).toBe(0);
});

it('keeps two ports apart', async () => {
  const [a, b] = (await attach('net_ring0', 'net_ring1')) as [Port, Port];
  send(a, 4);
  expect([receive(b), receive(a)]).toEqual([[], [0, 1, 2, 3]]);
});

it('joins two peers crosswise', async () => {
  const [a, b] = (await attach('net_ring0,peer=net_ring1', 'net_ring1,peer=net_ring0')) as [Port, Port];
  send(a, 3);
  send(b, 2);
  expect([receive(a), receive(b)]).toEqual([
    [0, 1],
    [0, 1, 2],
  ]);
});

it('shares rings by nodeaction', async () => {
  const [a, b] = (await attach('net_ring0,nodeaction=R:0:CREATE', 'net_ring1,nodeaction=R:0:ATTACH')) as [
    Port,
    Port,
  ];
  send(a, 3);
  expect(receive(b)).toEqual([0, 1, 2]);
  send(b, 2);
  expect(receive(a)).toEqual([0, 1]);
});

it('refuses what does not fit, which stays with the sender', async () => {
  const [port] = (await attach('net_ring0,size=20')) as [Port];
  expect(send(port, 32)).toBe(20);
  expect(pool.inUse).toBe(20);
  expect(receive(port)).toHaveLength(20);
});

it('has a link that follows the port', async () => {
  const port = await eal.attach('net_ring0');
  expect([port.link.up, port.mac.every((byte) => byte === 0)]).toEqual([false, true]);
  await port.start(pool);
  expect(port.link).toMatchObject({ up: true, speed: 10_000 });
  port.setLink(false);
  expect(port.link.up).toBe(false);
  await port.stop();
  await port.start();
  expect(port.link.up).toBe(true);
});

it('destroys its rings with what is inside when the last user goes', async () => {
  const [a, b] = (await attach('net_ring0,peer=net_ring1', 'net_ring1,peer=net_ring0')) as [Port, Port];
  send(a, 10);
  await eal.detach(a);
  expect([eal.rings.size, pool.inUse]).toEqual([2, 10]);
  await eal.detach(b);
  expect([eal.rings.size, pool.inUse]).toEqual([0, 0]);
});

it('keeps the rings of nodeaction until the port is closed', async () => {
  const a = await eal.attach('net_ring0,nodeaction=R:0:CREATE');
  expect(eal.rings.size).toBe(1);
  await eal.detach(a);
  expect(eal.rings.size).toBe(0);
});

describe('refuses', () => {
  it.each([
    ['nodeaction=R', 'net_ring0: nodeaction=R: expected NAME:NODE:CREATE or NAME:NODE:ATTACH.'],
    ['nodeaction=R:0:ATTACH', "net_ring0: There are no rings 'R' yet; use CREATE first."],
    ['nodeaction=R:0:CREATE,peer=x', 'net_ring0: nodeaction=R:0:CREATE: it cannot be combined with peer.'],
    ['size=0', 'net_ring0: size=0 is outside 1 to 1048576.'],
  ])('%s', async (args, message) => {
    await expect(eal.attach(`net_ring0,${args}`)).rejects.toThrow(message);
    expect([eal.ports.size, eal.rings.size]).toEqual([0, 0]);
  });

  it('CREATE of rings that exist', async () => {
    await eal.attach('net_ring0,nodeaction=R:0:CREATE');
    await expect(eal.attach('net_ring1,nodeaction=R:0:CREATE')).rejects.toThrow(
      "net_ring1: The rings 'R' exist already; use ATTACH.",
    );
  });
});
