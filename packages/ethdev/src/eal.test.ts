import { native } from '@pollwire/native';
import { afterEach, describe, expect, it } from 'vitest';
import { defineDriver } from './driver.js';
import { Eal } from './eal.js';
import { calls, testEal } from './fixtures/test-eal.js';

let eal: Eal | undefined;
afterEach(async () => {
  await eal?.close();
  eal = undefined;
});

const refusal = (code: string, message: string) => expect.objectContaining({ code, message });

describe('init', () => {
  it('can be called once at a time', async () => {
    eal = await testEal();
    await expect(Eal.init()).rejects.toThrow(expect.objectContaining({ code: 'EAL_TWICE' }));
    await eal.close();
    eal = await testEal();
    expect(eal.ports.size).toBe(0);
  });

  it('takes a command line', async () => {
    const cpu = native.usableCpus()[0];
    eal = await Eal.init(
      ['--lcores', `5@${cpu},7@${cpu}`, '--main-lcore', '7', '--', '--not-for-eal'],
      () => undefined,
    );
    expect([eal.mainLcore, eal.lcores.map(({ id }) => id)]).toEqual([{ id: 7, cpu }, [5]]);
  });

  it('takes back what it did when a device is refused, and can be tried again', async () => {
    const lines: string[] = [];
    await expect(
      Eal.init({ vdevs: ['net_bogus0'], huge: 'never' }, (line) => lines.push(line)),
    ).rejects.toThrow(expect.objectContaining({ code: 'DRIVER_UNKNOWN' }));
    eal = await testEal();
    expect(eal.ports.size).toBe(0);
  });

  it.each([
    [{ lcores: '0-' }, 'LCORE_LIST'],
    [{ lcores: '900@900' }, 'LCORE_LIST'],
    [{ lcores: '0@1000' }, 'LCORE_CPU'],
    [{ mainLcore: 99 }, 'LCORE_UNKNOWN'],
    [{ memory: 5 }, 'EAL_MEMORY'],
    [{ logLevels: ['loud'] }, 'LOG_LEVEL'],
    [{ drivers: ['./no-such-module.js'] }, 'DRIVER_MODULE'],
    [{ drivers: [{ name: 'x' }] }, 'DRIVER_INVALID'],
  ])('refuses %j', async (options, code) => {
    await expect(Eal.init({ huge: 'never', ...options }, () => undefined)).rejects.toThrow(
      expect.objectContaining({ code }),
    );
  });

  it('takes little time', async () => {
    const start = performance.now();
    eal = await testEal();
    expect(performance.now() - start).toBeLessThan(500);
  });
});

describe('attach', () => {
  it('takes text and objects and keeps the exact text', async () => {
    eal = await testEal();
    const a = await eal.attach('test_source0,size=128');
    const b = await eal.attach({ driver: 'test_source', id: 4, args: { size: 256 } });
    expect([a.devargs, b.devargs, b.name]).toEqual([
      'test_source0,size=128',
      'test_source4,size=256',
      'test_source4',
    ]);
  });

  it('gives out the lowest free id', async () => {
    eal = await testEal();
    for (const name of ['test_source0', 'test_source1', 'test_source2']) await eal.attach(name);
    await eal.detach('test_source1');
    await eal.detach(0);
    const ids = [];
    for (const name of ['test_source8', 'test_source9', 'test_source10'])
      ids.push((await eal.attach(name)).id);
    expect(ids).toEqual([0, 1, 3]);
    expect([eal.port('test_source9')?.id, eal.port(3)?.name, eal.port(9)]).toEqual([
      1,
      'test_source10',
      undefined,
    ]);
  });

  it('gives different ids to devices that are probed at the same time', async () => {
    eal = await testEal();
    const ports = await Promise.all([eal.attach('test_source0'), eal.attach('test_source1')]);
    expect(ports.map(({ id }) => id)).toEqual([0, 1]);
    await expect(Promise.all([eal.attach('test_source7'), eal.attach('test_source7')])).rejects.toThrow(
      refusal('PORT_EXISTS', "There is a device 'test_source7' already; choose another name or number."),
    );
  });

  it('is announced, as is detach', async () => {
    eal = await testEal();
    const seen: string[] = [];
    eal.on('new', (port) => seen.push(`new ${port.id} ${eal?.ports.size}`));
    eal.on('destroy', (port) => seen.push(`destroy ${port.id}`));
    const port = await eal.attach('test_source0');
    await port.start();
    await eal.detach(port);
    expect(seen).toEqual(['new 0 1', 'destroy 0']);
  });

  it('passes on what the driver refuses, with the name of the device, and frees the id', async () => {
    eal = await testEal();
    eal.use(
      defineDriver({
        name: 'test_broken',
        summary: 'refuses',
        args: {},
        limits: { rxQueues: 1, txQueues: 1, descriptors: { min: 1, max: 1 }, maxRxPktLen: 64 },
        probe() {
          throw new Error('no such hardware');
        },
      }),
    );
    await expect(eal.attach('test_broken0')).rejects.toThrow(
      refusal('PROBE_FAILED', 'test_broken0: no such hardware'),
    );
    expect((await eal.attach('test_source0')).id).toBe(0);
  });

  it('stops at 64 ports', async () => {
    eal = await testEal();
    for (let i = 0; i < 64; i++) await eal.attach(`test_source${i}`);
    await expect(eal.attach('test_source64')).rejects.toThrow(
      refusal('PORT_LIMIT', 'All 64 ports are in use; detach one first.'),
    );
  });

  it('refuses to detach what is not there', async () => {
    eal = await testEal();
    await expect(eal.detach(5)).rejects.toThrow(
      refusal('PORT_UNKNOWN', "There is no port '5'; existing: none."),
    );
  });
});

describe('close', () => {
  it('stops and closes ports, and can be called twice', async () => {
    eal = await testEal();
    const port = await eal.attach('test_source0');
    await port.start();
    await Promise.all([eal.close(), eal.close()]);
    expect([port.state, calls.filter((call) => call === 'close').length]).toEqual(['closed', 1]);
    expect(() => eal?.createPool({ name: 'p', size: 1 })).toThrow(
      expect.objectContaining({ code: 'EAL_CLOSED' }),
    );
  });

  it('leaves nothing in the arena', async () => {
    eal = await testEal();
    await eal.close();
    const before = native.arenaUsage().used;
    eal = await testEal();
    const port = await eal.attach('test_source0');
    const script = await eal.attach('test_script0');
    await port.start();
    await script.start();
    await eal.close();
    const after = native.arenaUsage();
    // Counter blocks of slots are kept for the next slots.
    const kept = after.blocks
      .filter(({ label }) => label === 'queue counters')
      .reduce((sum, { bytes }) => sum + bytes, 0);
    expect(after.used - kept).toBeLessThanOrEqual(before);
  });
});
