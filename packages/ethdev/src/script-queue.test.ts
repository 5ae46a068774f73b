import type { PollwireError } from '@pollwire/native';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Burst } from './burst.js';
import type { Eal } from './eal.js';
import { testEal } from './fixtures/test-eal.js';
import type { Mempool } from './mempool.js';

let eal: Eal;
let pool: Mempool;
let burst: Burst;

beforeEach(async () => {
  eal = await testEal();
  pool = eal.createPool({ name: 'p', size: 128 });
  burst = eal.burst(32);
});
afterEach(async () => {
  burst.release();
  await eal.close();
});

it('moves packets as a native queue does, and counts them', async () => {
  const port = await eal.attach('test_script0');
  await port.start(pool);
  for (let i = 1; i <= 3; i++) burst.push(eal.mbufs.from(pool, new Uint8Array(i * 100)));
  expect(port.txQueue(0).burst(burst)).toBe(3);
  expect(port.rxQueue(0).burst(burst)).toBe(3);
  expect(Array.from(burst.handles.subarray(0, 3), (h) => eal.mbufs.pktLen(h))).toEqual([100, 200, 300]);
  expect(port.stats()).toMatchObject({ ipackets: 3n, ibytes: 600n, opackets: 3n, obytes: 600n });
  port.resetStats();
  expect(port.stats()).toMatchObject({ ipackets: 0n, obytes: 0n });
  burst.free();
});

it('counts only what its end took', async () => {
  const port = await eal.attach('test_script0');
  await port.start(pool);
  const tx = port.txQueue(0);
  // The ring behind it holds 256: the ninth burst of 32 finds it full.
  const original = eal.mbufs.from(pool, new Uint8Array(100));
  const many = eal.createPool({ name: 'many', size: 512, dataRoom: 256 });
  let sent = 0;
  for (let i = 0; i < 9; i++) {
    while (burst.length < 32) burst.push(eal.mbufs.clone(original, many));
    const taken = tx.burst(burst);
    sent += taken;
    burst.free(taken);
    burst.clear();
  }
  expect(sent).toBe(256);
  expect(port.stats()).toMatchObject({ opackets: 256n, obytes: 25_600n });
  eal.mbufs.free(original);
});

it.each([
  ['throw=1', 'SCRIPT_THREW', 'rx end broke'],
  [
    'nonsense=1',
    'BAD_COUNT',
    'Port 0 rx queue 0: the burst function or a callback returned 33; 0 to 32 is allowed.',
  ],
])('closes a queue whose module does wrong (%s) and reports it on its port', async (args, code, message) => {
  const port = await eal.attach(`test_script0,${args}`);
  const good = await eal.attach('test_source0');
  await port.start(pool);
  await good.start(pool);
  const errors: PollwireError[] = [];
  port.on('error', (error) => errors.push(error));
  expect([port.rxQueue(0).burst(burst), port.rxQueue(0).burst(burst)]).toEqual([0, 0]);
  expect(errors).toEqual([expect.objectContaining({ code, message })]);
  expect(good.rxQueue(0).burst(burst)).toBe(32);
  burst.free();
});

it('opens again after the queue was set up anew', async () => {
  const port = await eal.attach('test_script0,throw=1');
  await port.start(pool);
  let errors = 0;
  port.on('error', () => errors++);
  port.rxQueue(0).burst(burst);
  await port.stop();
  port.setupRxQueue(0, { pool });
  await port.start();
  port.rxQueue(0).burst(burst);
  expect(errors).toBe(2);
});
