import { native } from '@pollwire/native';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Burst } from './burst.js';
import type { Eal } from './eal.js';
import { testEal } from './fixtures/test-eal.js';
import type { Mempool } from './mempool.js';
import type { Port } from './port.js';
import type { RxCallback, TxCallback } from './queue-slow.js';

let eal: Eal;
let pool: Mempool;
let burst: Burst;
let source: Port;
let loop: Port;

beforeAll(async () => {
  eal = await testEal();
  pool = eal.createPool({ name: 'p', size: 128 });
  burst = eal.burst(32);
});
beforeEach(async () => {
  source = await eal.attach('test_source0,size=100');
  loop = await eal.attach('test_script0');
  await source.start(pool);
  await loop.start(pool);
});
afterEach(async () => {
  burst.free();
  await eal.detach(source);
  await eal.detach(loop);
  expect(pool.inUse, 'mbufs out').toBe(0);
  expect(native.mbufViolations()).toBe(0);
});
afterAll(() => eal.close());

/** Puts the index of every packet into its user word. */
function number(): void {
  for (let i = 0; i < burst.length; i++) eal.mbufs.setUser(burst.at(i), i);
}
const users = () => Array.from(burst.handles.subarray(0, burst.length), (h) => eal.mbufs.user(h));

describe('bursts', () => {
  it('receive up to the number asked for and never more than fits', () => {
    const rx = source.rxQueue(0);
    expect([rx.burst(burst, 5), burst.length]).toEqual([5, 5]);
    burst.free();
    expect(rx.burst(burst, 1000)).toBe(32);
  });

  it('send no more than the burst holds', () => {
    const tx = source.txQueue(0);
    source.rxQueue(0).burst(burst, 4);
    expect([tx.burst(burst, 100), burst.first]).toEqual([4, 4]);
    burst.clear();
    expect(tx.burst(burst)).toBe(0);
  });

  it('return 0 while the port is stopped and go on afterwards', async () => {
    const rx = source.rxQueue(0);
    await source.stop();
    expect([rx.burst(burst), burst.length]).toEqual([0, 0]);
    await source.start();
    expect(rx.burst(burst)).toBe(32);
  });

  it.each(['source', 'loop'] as const)('return 0 while the queue is paused (%s)', async (which) => {
    const port = which === 'source' ? source : loop;
    source.rxQueue(0).burst(burst, 4);
    loop.txQueue(0).burst(burst);
    burst.clear();
    const rx = port.rxQueue(0);
    await rx.pause();
    expect(rx.burst(burst)).toBe(0);
    rx.resume();
    expect(rx.burst(burst, 4)).toBe(4);
    burst.free();
    while (loop.rxQueue(0).burst(burst) > 0) burst.free();
  });

  it('return 0 for ever through an object of a port that is gone, even when its slot is used again', async () => {
    const stale = source.rxQueue(0);
    const staleTx = source.txQueue(0);
    await eal.detach(source);
    source = await eal.attach('test_source1');
    await source.start(pool);
    expect(stale.burst(burst)).toBe(0);
    source.rxQueue(0).burst(burst, 3);
    expect(staleTx.burst(burst)).toBe(0);
  });
});

describe('forward', () => {
  const split = (packed: number) => [packed & 0xffff, packed >>> 16];

  it('receives, sends and leaves the burst empty', () => {
    expect(split(source.rxQueue(0).forward(source.txQueue(0), burst, 7))).toEqual([7, 7]);
    expect([burst.length, pool.inUse]).toEqual([0, 0]);
    expect(source.stats()).toMatchObject({ ipackets: 7n, opackets: 7n });
  });

  it('does the same through a script queue and callbacks, and frees what was refused', async () => {
    let seen = 0;
    const remove = source.rxQueue(0).addCallback((b) => {
      seen += b.length;
      return b.length;
    });
    expect(split(source.rxQueue(0).forward(loop.txQueue(0), burst, 5))).toEqual([5, 5]);
    expect([seen, pool.inUse]).toEqual([5, 5]);
    expect(split(loop.rxQueue(0).forward(source.txQueue(0), burst))).toEqual([5, 5]);
    await loop.stop();
    expect(split(source.rxQueue(0).forward(loop.txQueue(0), burst, 5))).toEqual([5, 0]);
    expect(pool.inUse).toBe(0);
    remove();
  });

  it('never moves more than the burst holds', () => {
    expect(split(source.rxQueue(0).forward(source.txQueue(0), burst, 500))).toEqual([32, 32]);
  });
});

describe('rx callbacks', () => {
  it('run in order, first before last', () => {
    const rx = source.rxQueue(0);
    const order: string[] = [];
    const note =
      (name: string): RxCallback =>
      (b) => {
        order.push(name);
        return b.length;
      };
    const remove = [rx.addCallback(note('b')), rx.addCallback(note('c')), rx.addCallback(note('a'), 'first')];
    expect(rx.burst(burst)).toBe(32);
    expect(order).toEqual(['a', 'b', 'c']);
    for (const one of remove) one();
    burst.free();
    rx.burst(burst);
    expect(order).toHaveLength(3);
  });

  it('may drop packets', () => {
    const rx = source.rxQueue(0);
    const remove = rx.addCallback((b) => {
      while (b.length > 3) b.drop(b.length - 1);
      return b.length;
    });
    expect([rx.burst(burst), burst.length, pool.inUse]).toEqual([3, 3, 3]);
    remove();
  });

  it('may remove themselves while running', () => {
    const rx = source.rxQueue(0);
    let runs = 0;
    const remove = rx.addCallback((b) => {
      runs++;
      remove();
      return b.length;
    });
    for (let i = 0; i < 2; i++) {
      rx.burst(burst);
      burst.free();
    }
    expect(runs).toBe(1);
  });

  it('may not return more than the burst holds', () => {
    const rx = source.rxQueue(0);
    const remove = rx.addCallback(() => 99);
    expect(() => rx.burst(burst, 2)).toThrow(expect.objectContaining({ code: 'BAD_COUNT' }));
    remove();
    burst.length = 2;
  });
});

describe('tx callbacks', () => {
  /** Frees every second packet and moves the rest together. */
  const halve: TxCallback = (b, n, from) => {
    let kept = from;
    for (let i = from; i < from + n; i++) {
      const h = b.at(i);
      if ((i - from) % 2 === 0) b.set(kept++, h);
      else eal.mbufs.free(h);
    }
    return kept - from;
  };

  it('count what they dropped as sent', () => {
    source.rxQueue(0).burst(burst, 10);
    number();
    const tx = loop.txQueue(0);
    const remove = tx.addCallback(halve);
    expect([tx.burst(burst), pool.inUse]).toEqual([10, 5]);
    remove();
    loop.rxQueue(0).burst(burst);
    expect(users()).toEqual([0, 2, 4, 6, 8]);
  });

  it('leave the unsent rest at the end of the range, where the caller expects it', async () => {
    await loop.stop();
    source.rxQueue(0).burst(burst, 8);
    number();
    const tx = loop.txQueue(0);
    const remove = tx.addCallback(halve);
    const sent = tx.burst(burst);
    expect([sent, pool.inUse]).toEqual([4, 4]);
    expect(users().slice(sent)).toEqual([0, 2, 4, 6]);
    burst.free(sent);
    burst.clear();
    remove();
  });

  it('respect the part of the burst that is sent', () => {
    source.rxQueue(0).burst(burst, 8);
    number();
    const tx = loop.txQueue(0);
    const ranges: [number, number][] = [];
    const remove = tx.addCallback((_b, n, from) => {
      ranges.push([n, from]);
      return n;
    });
    expect([tx.burst(burst, 3, 2), burst.first]).toEqual([3, 5]);
    expect(ranges).toEqual([[3, 2]]);
    remove();
    burst.first = 0;
    for (const gone of [4, 3, 2]) {
      burst.set(gone, burst.at(burst.length - 1));
      burst.length--;
    }
    burst.free();
    loop.rxQueue(0).burst(burst);
    expect(users()).toEqual([2, 3, 4]);
  });
});
