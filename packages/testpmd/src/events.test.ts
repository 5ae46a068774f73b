import type { ProbeContext } from '@pollwire/ethdev';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { puppets, TestApp } from './fixtures/app.js';

let t: TestApp;
const puppet = (name: string) => puppets.get(name) as ProbeContext<object>;

beforeAll(async () => {
  t = await TestApp.open(['test_puppet0', 'net_null0']);
  await t.app.boot();
});
beforeEach(() => {
  t.out.take();
  t.complaints();
});
afterAll(async () => void (await t.close()));

it('prints link changes, with the new state readable', async () => {
  puppet('test_puppet0').link({ up: true });
  expect(t.out.take()).toBe('\nPort 0: link state change event\n');
  expect(await t.type('show port info 0')).toContain('Link status: up\nLink speed: 1 Gbps\n');
  expect(await t.type('show port info 0')).toContain('Device private info:\n  mood: calm\n');
  puppet('test_puppet0').link({ up: false });
  expect(t.out.take()).toBe('\nPort 0: link state change event\n');
  puppet('test_puppet0').link({ up: false });
  expect(t.out.take()).toBe('');
});

it('prints one line for each queue that changed', async () => {
  puppet('test_puppet0').queueState(0, true, true);
  puppet('test_puppet0').queueState(0, false, true);
  await expect.poll(() => t.out.text).toBe('\nPort 0: queue state event\n\nPort 0: queue state event\n');
});

it('lets the prompt draw itself again', () => {
  let drawn = 0;
  t.app.redraw = () => void drawn++;
  puppet('test_puppet0').link({ up: true });
  t.app.redraw = undefined;
  expect(drawn).toBe(1);
});

it('says nothing about masked events', async () => {
  t.app.settings.printEvents.delete('intr_lsc');
  puppet('test_puppet0').link({ up: false });
  t.app.settings.printEvents.add('intr_lsc');
  expect(t.out.take()).toBe('');
  t.app.settings.printEvents.add('dev_probed').add('dev_released');
  expect(await t.type('port attach test_puppet1')).toContain('\nPort 2: device probed event\n');
  expect(await t.type('port detach 2')).toContain('\nPort 2: device released event\n');
  t.app.settings.printEvents.delete('dev_probed');
  t.app.settings.printEvents.delete('dev_released');
});

describe('a device that vanishes', () => {
  it('takes its port out of running forwarding and forwards on', async () => {
    await t.type('set portlist 0,1');
    await t.type('start');
    puppet('test_puppet0').removed();
    await expect.poll(() => [t.app.ports.ids(), t.app.forwarding.running]).toEqual([[1], true]);
    const text = t.out.take();
    expect(text).toContain('\nPort 0: device removal event\n');
    expect(text).toContain('Port 0 is closed\nDevice is detached\nNow total ports is 1\nDone\n');
    expect(text).toContain('  RX P=1/Q=0 (socket 0) -> TX P=1/Q=0 (socket 0)');
    const before = t.app.ports.get(1)?.stats().ipackets ?? 0n;
    await expect.poll(() => t.app.ports.get(1)?.stats().ipackets).toBeGreaterThan(before);
    expect(await t.type('stop')).toContain('Forward statistics for port 1');
  });

  it('stays with --no-rmv-interrupt', async () => {
    await t.type('port attach test_puppet2');
    t.app.settings.removalInterrupt = false;
    puppet('test_puppet2').removed();
    await new Promise((resolve) => setImmediate(resolve));
    expect(t.app.ports.ids()).toEqual([0, 1]);
  });
});
