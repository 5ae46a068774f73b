/** Queue set-up of a virtio-user port: the ring size is the device's, whatever the application asks for. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Eal } from '@pollwire/ethdev';
import { afterEach, beforeEach, expect, test } from 'vitest';
import driver from './virtio-user.js';

let dir: string;
let eal: Eal;
let logged: string[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'pw-virtio-'));
  logged = [];
  eal = await Eal.init({ memory: 32, huge: 'never' }, (line) => logged.push(line));
  eal.use(driver);
});

afterEach(async () => {
  await eal.close();
  rmSync(dir, { recursive: true });
});

async function attach(size: number) {
  const port = await eal.attach(`net_virtio_user0,path=${join(dir, 's')},server=1,queue_size=${size}`);
  port.configure();
  const pool = eal.createPool({ name: 'p', size: 1024 });
  return { port, pool };
}

test('another wish than the size of the ring gives a warning and the size of the ring', async () => {
  const { port, pool } = await attach(256);
  expect(port.setupRxQueue(0, { descriptors: 512, pool }).descriptors).toBe(256);
  expect(port.setupTxQueue(0, { descriptors: 128 }).descriptors).toBe(256);
  const warnings = logged.filter((line) => line.includes('descriptors'));
  expect(warnings).toHaveLength(2);
  expect(warnings[0]).toMatch(/ring 0 has 256 descriptors, not 512; attach with queue_size=512/);
  expect(warnings[1]).toMatch(/ring 1 has 256 descriptors, not 128/);
});

test('no wish and the right wish give no warning', async () => {
  const { port, pool } = await attach(64);
  expect(port.setupRxQueue(0, { pool }).descriptors).toBe(64);
  expect(port.setupTxQueue(0, { descriptors: 64 }).descriptors).toBe(64);
  expect(logged.filter((line) => line.includes('descriptors'))).toEqual([]);
});

test('more than any ring can have is refused', async () => {
  const { port, pool } = await attach(256);
  expect(() => port.setupRxQueue(0, { descriptors: 32_769, pool })).toThrow(
    /32769 rx descriptors; 1 to 32768/,
  );
});
