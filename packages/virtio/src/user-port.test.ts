/** Set-up of a virtio-user port: the ring size is the device's, whatever the application asks for; filters and MTU within limits. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Eal, VLAN_FILTER } from '@pollwire/ethdev';
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

test('an application gets what is addressed to it until it says otherwise', async () => {
  const { port } = await attach(64);
  const filter = () => port.privateInfo().rx_filter;
  expect([port.promiscuous, port.allMulticast]).toEqual([false, false]);
  expect(filter()).toBe('unicast, multicast (in software)');
  port.setAllMulticast(true);
  expect(filter()).toBe('unicast (in software)');
  port.setPromiscuous(true);
  expect(filter()).toBe('off');
  port.setVlanOffload(VLAN_FILTER);
  expect(filter()).toBe('vlan (in software)');
  port.vlanFilter(4095, true);
  expect(() => port.vlanFilter(4096, true)).toThrow(/VLAN 4096 is outside 0 to 4095/);
  port.configure();
  expect(filter()).toBe('off');
  expect(() => port.vlanFilter(1, true)).toThrow(/VLAN filter is off/);
});

test('holds 64 addresses of each kind', async () => {
  const { port } = await attach(64);
  const macs = (first: number) => Array.from({ length: 64 }, (_, i) => Uint8Array.of(first, 0, 0, 0, 1, i));
  for (const mac of macs(2).slice(1)) port.addMac(mac);
  expect(port.allMacs).toHaveLength(64);
  expect(() => port.addMac('02:00:00:00:02:00')).toThrow(/holds 64 MAC addresses/);
  port.setMulticastList(macs(1));
  expect(() => port.setMulticastList([...macs(1), '01:00:00:00:02:00'])).toThrow(
    /64 multicast addresses, not 65/,
  );
  expect(port.multicastMacs).toHaveLength(64);
});

test('an MTU needs buffers that hold its frames, unless they merge', async () => {
  const plain = await eal.attach(`net_virtio_user1,path=${join(dir, 'p')},server=1,mrg_rxbuf=0`);
  const pool = eal.createPool({ name: 'small', size: 512, dataRoom: 1024 + 128 });
  plain.configure({ mtu: 1500 });
  expect(() => plain.setupRxQueue(0, { pool })).toThrow(
    /MTU 1500 .* frames of 1518 bytes.* hold 1024; use mrg_rxbuf=1/,
  );
  plain.setMtu(1006);
  plain.setupRxQueue(0, { pool });
  expect(() => plain.setMtu(1007)).toThrow(expect.objectContaining({ code: 'MTU_RANGE', errno: -22 }));
  expect(plain.mtu).toBe(1006);
  expect(() => plain.setMtu(9699)).toThrow(/MTU 9699 is outside 68 to 9698/);
  const { port } = await attach(64);
  port.setupRxQueue(0, { pool });
  port.setMtu(9698);
  expect(port.mtu).toBe(9698);
});
