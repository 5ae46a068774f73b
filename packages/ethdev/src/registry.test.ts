import { expect, it } from 'vitest';
import type { Driver } from './driver.js';
import { defineDriver } from './driver.js';
import { DriverRegistry } from './registry.js';

const driver = (name: string, ...aliases: string[]): Driver =>
  defineDriver({
    name,
    aliases,
    summary: `the ${name} driver`,
    args: {},
    limits: { rxQueues: 1, txQueues: 1, descriptors: { min: 0, max: 1 }, maxRxPktLen: 1518 },
    probe: () => {
      throw new Error('not probed here');
    },
  });

function registry(...drivers: Driver[]) {
  const all = new DriverRegistry();
  for (const one of drivers) all.add(one);
  return all;
}

it.each([
  ['net_vhost0', 'net_vhost'],
  ['net_vhost_left', 'net_vhost'],
  ['eth_vhost7', 'net_vhost'],
  ['net_vhost', 'net_vhost'],
])('finds the driver of %s by prefix', (device, name) => {
  expect(registry(driver('net_vhost', 'eth_vhost'), driver('net_null')).find(device).name).toBe(name);
});

it('prefers the longest match, whatever the order of registration', () => {
  const short = driver('net_virtio');
  const long = driver('net_virtio_user');
  expect(registry(short, long).find('net_virtio_user0')).toBe(long);
  expect(registry(long, short).find('net_virtio_user0')).toBe(long);
  expect(registry(long, short).find('net_virtio0')).toBe(short);
});

it('takes the same driver twice and lists it once', () => {
  const one = driver('net_null', 'eth_null');
  expect(registry(one, one).list()).toEqual([one]);
});

it('refuses a second driver under a taken name or alias', () => {
  const all = registry(driver('net_null', 'eth_null'));
  expect(() => all.add(driver('eth_null'))).toThrow(
    expect.objectContaining({
      code: 'DRIVER_EXISTS',
      message: "A driver named 'eth_null' is registered already (the net_null driver).",
    }),
  );
});

it('suggests a name for an unknown device', () => {
  expect(() => registry(driver('net_vhost'), driver('net_null')).find('net_vhsot0')).toThrow(
    expect.objectContaining({
      code: 'DRIVER_UNKNOWN',
      message: "No driver for device 'net_vhsot0'; did you mean 'net_vhost'?",
    }),
  );
});

it('lists what it knows when nothing is near', () => {
  expect(() => registry(driver('net_vhost'), driver('net_null')).find('crypto0')).toThrow(
    "No driver for device 'crypto0'; known drivers: net_vhost and net_null.",
  );
});

it.each([
  [undefined, 'it is undefined'],
  [null, 'it is null'],
  [{ name: 'Net Null' }, 'its name is "Net Null"'],
  [{ name: 'a', aliases: [] }, "'a' has no probe function"],
])('refuses %j as a driver', (value, why) => {
  expect(() => new DriverRegistry().add(value as unknown as Driver)).toThrow(
    expect.objectContaining({ code: 'DRIVER_INVALID', message: expect.stringContaining(why) }),
  );
});
