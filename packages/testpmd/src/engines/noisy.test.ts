import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EngineRig } from '../fixtures/engine-rig.js';
import { MAC_A, MAC_B, pattern, udp4 } from '../fixtures/packets.js';
import { defaultNoisy } from '../settings.js';
import { HandleFifo } from './handle-fifo.js';

describe('HandleFifo', () => {
  it('gives back in order what was put in, across its end', () => {
    const fifo = new HandleFifo(5);
    const out = new Uint32Array(5);
    fifo.pushFrom(Uint32Array.of(0, 1, 2, 3), 1, 3);
    fifo.popInto(out, 2);
    expect([...out.subarray(0, 2)]).toEqual([1, 2]);
    fifo.pushFrom(Uint32Array.of(4, 5, 6, 7), 0, 4);
    expect(fifo.length).toBe(5);
    fifo.popInto(out, 5);
    expect([...out]).toEqual([3, 4, 5, 6, 7]);
    expect(fifo.length).toBe(0);
  });
});

describe('noisy', () => {
  let rig: EngineRig;
  beforeAll(async () => {
    rig = await EngineRig.open();
  });
  afterAll(() => rig.close());
  afterEach(() => expect(rig.pool.inUse, 'mbufs that nobody freed').toBe(0));

  const noisy = (more: Partial<ReturnType<typeof defaultNoisy>>) => ({
    noisy: { ...defaultNoisy(), ...more },
  });
  const numbered = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => rig.packet(Uint8Array.from([...pattern(59), from + i])));
  const numbers = (frames: Uint8Array[]) => frames.map((frame) => frame.at(-1));

  it('forwards at once without a buffer, and touches its memory', async () => {
    const run = await rig.run('noisy', {
      settings: noisy({ memoryMiB: 1, reads: 3, writes: 2, readWrites: 1 }),
    });
    rig.inject(numbered(0, 3));
    expect(run.poll()).toBe(3);
    expect(numbers(rig.collect())).toEqual([0, 1, 2]);
    run.stop();
  });

  it('holds packets back until newer ones push them out, in order', async () => {
    const run = await rig.run('noisy', { settings: noisy({ bufferSize: 4 }) });
    rig.inject(numbered(0, 3));
    run.poll();
    expect(rig.collect()).toEqual([]);
    rig.inject(numbered(3, 3));
    run.poll();
    expect(numbers(rig.collect())).toEqual([0, 1]);
    rig.inject(numbered(6, 9));
    run.poll();
    expect(numbers(rig.collect())).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(run.counter('RX')).toBe(15);
    run.stop();
  });

  it('empties the buffer after its time', async () => {
    const run = await rig.run('noisy', { settings: { ...noisy({ bufferSize: 100, flushMs: 5 }), burst: 4 } });
    rig.inject(numbered(0, 4));
    run.poll();
    expect(rig.collect()).toEqual([]);
    await expect.poll(() => run.poll(), { interval: 1 }).toBe(4);
    expect(numbers(rig.collect())).toEqual([0, 1, 2, 3]);
    run.stop();
  });

  it('frees what it still holds when it is stopped', async () => {
    const run = await rig.run('noisy', { settings: noisy({ bufferSize: 50 }) });
    rig.inject(numbered(0, 40));
    run.poll();
    run.poll();
    expect(rig.pool.inUse).toBe(40);
    run.stop();
  });

  it.each([
    ['macswap' as const, [...MAC_A, ...MAC_B]],
    ['5tswap' as const, [...MAC_A, ...MAC_B]],
  ])('edits packets in mode %s', async (mode, macs) => {
    const run = await rig.run('noisy', { settings: noisy({ mode }) });
    rig.inject([rig.packet(udp4(pattern(9)))]);
    run.poll();
    expect([...(rig.collect()[0] as Uint8Array).subarray(0, 12)]).toEqual(macs);
    run.stop();
  });
});
