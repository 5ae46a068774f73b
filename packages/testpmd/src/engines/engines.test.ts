import { L, native } from '@pollwire/native';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Cut } from '../fixtures/engine-rig.js';
import { EngineRig } from '../fixtures/engine-rig.js';
import { ethernet, MAC_A, MAC_B, pattern, tcp4, tcp6, udp4, udp6 } from '../fixtures/packets.js';
import { ENGINE_NAMES } from '../settings.js';
import { ENGINES } from './index.js';

let rig: EngineRig;
beforeAll(async () => {
  rig = await EngineRig.open();
});
afterAll(() => rig.close());
afterEach(() => {
  rig.collect(0);
  rig.collect(1);
  expect(rig.pool.inUse, 'mbufs that nobody freed').toBe(0);
});

/** Shapes in which the same packet can arrive; every engine that looks at headers must treat them alike. */
const SHAPES: [string, Cut][] = [
  ['one segment', {}],
  ['an odd address', { headroom: 129 }],
  ['an address of 2 mod 4', { headroom: 130 }],
  ['the Ethernet header split', { segments: [5] }],
  ['a byte per segment', { segments: Array.from({ length: 60 }, () => 1) }],
  ['an empty first segment', { segments: [0] }],
  ['the header split inside IP', { segments: [20, 7] }],
];

async function forwardOne(name: keyof typeof ENGINES, bytes: Uint8Array, cut: Cut = {}, retry = false) {
  const run = await rig.run(name, { settings: { retry } });
  rig.inject([rig.packet(bytes, cut)]);
  expect(run.poll()).toBe(1);
  const out = rig.collect();
  run.stop();
  expect(out).toHaveLength(1);
  return out[0] as Uint8Array;
}

it('has an engine for every name, and the engine knows its name', () => {
  expect(Object.keys(ENGINES).sort()).toEqual([...ENGINE_NAMES].sort());
  for (const name of ENGINE_NAMES) expect(ENGINES[name].name).toBe(name);
});

describe('io', () => {
  it('sends what it receives, unchanged and in order, and counts it', async () => {
    const run = await rig.run('io');
    const frames = [60, 61, 1500, 4000].map((length, i) => ethernet(0x88b5, pattern(length, i)));
    rig.inject(frames.map((frame) => rig.packet(frame)));
    expect(run.poll()).toBe(4);
    expect(rig.collect()).toEqual(frames);
    expect([run.counter('RX'), run.counter('TX'), run.counter('DROPPED')]).toEqual([4, 4, 0]);
    expect(run.poll()).toBe(0);
    run.stop();
  });

  it('frees and counts what the other side refuses', async () => {
    const run = await rig.run('io');
    rig.fillTx();
    rig.inject([rig.packet(new Uint8Array(60)), rig.packet(new Uint8Array(60))]);
    expect(run.poll()).toBe(2);
    expect([run.counter('RX'), run.counter('TX'), run.counter('DROPPED')]).toEqual([2, 0, 2]);
    run.stop();
  });
});

describe('mac', () => {
  // With retries the engine's own loop runs, without them one native call per burst.
  it.each(SHAPES)('writes peer and own address: %s', async (_shape, cut) => {
    const frame = udp4(pattern(40));
    const expected = Uint8Array.from(frame);
    expected.set([2, 0, 0, 0, 0, 1], 0);
    expected.set(rig.mac(1), 6);
    expect(await forwardOne('mac', frame, cut)).toEqual(expected);
    expect(await forwardOne('mac', frame, cut, true)).toEqual(expected);
  });
});

describe('macswap', () => {
  it.each(SHAPES)('exchanges the addresses: %s', async (_shape, cut) => {
    const frame = udp4(pattern(40));
    const expected = Uint8Array.from(frame);
    expected.set(MAC_A, 0);
    expected.set(MAC_B, 6);
    expect(await forwardOne('macswap', frame, cut)).toEqual(expected);
    expect(await forwardOne('macswap', frame, cut, true)).toEqual(expected);
  });

  it('leaves a frame without room for two addresses alone', async () => {
    const runt = Uint8Array.from(pattern(11));
    for (const retry of [false, true]) {
      expect(await forwardOne('macswap', runt, {}, retry)).toEqual(runt);
      expect(await forwardOne('mac', runt, {}, retry)).toEqual(runt);
    }
  });

  it('works on a clone, whose data is another mbuf', async () => {
    const original = rig.packet(udp4(pattern(20)));
    const clone = rig.eal.mbufs.clone(original, rig.pool);
    const run = await rig.run('macswap');
    rig.inject([clone]);
    run.poll();
    native.mbufFree(original);
    expect((rig.collect()[0] as Uint8Array).subarray(0, 12)).toEqual(Uint8Array.from([...MAC_A, ...MAC_B]));
    run.stop();
  });
});

describe('rxonly', () => {
  it('frees what it receives and sends nothing', async () => {
    const run = await rig.run('rxonly');
    rig.inject([rig.packet(new Uint8Array(64)), rig.packet(new Uint8Array(64), { segments: [10, 10] })]);
    expect(run.poll()).toBe(2);
    expect(rig.collect()).toEqual([]);
    expect([run.counter('RX'), run.counter('TX')]).toEqual([2, 0]);
    run.stop();
  });
});

describe('5tswap', () => {
  const swapped = (frame: Uint8Array, pairs: [number, number, number][]): Uint8Array => {
    const out = Uint8Array.from(frame);
    for (const [a, b, count] of pairs) {
      out.set(frame.subarray(b, b + count), a);
      out.set(frame.subarray(a, a + count), b);
    }
    return out;
  };

  it.each(SHAPES)('exchanges MAC, IPv4 and UDP: %s', async (_shape, cut) => {
    const frame = udp4(pattern(40));
    const expected = swapped(frame, [
      [0, 6, 6],
      [26, 30, 4],
      [34, 36, 2],
    ]);
    expect(await forwardOne('5tswap', frame, cut)).toEqual(expected);
  });

  it('finds TCP behind two VLAN tags and IP options', async () => {
    const frame = tcp4(pattern(9), { vlans: [7, 8], options: [1, 1, 1, 0] });
    const expected = swapped(frame, [
      [0, 6, 6],
      [34, 38, 4],
      [46, 48, 2],
    ]);
    expect(await forwardOne('5tswap', frame)).toEqual(expected);
  });

  it.each([
    ['UDP', udp6(pattern(11))],
    ['TCP', tcp6(pattern(11))],
  ])('exchanges IPv6 and %s', async (_name, frame) => {
    const expected = swapped(frame, [
      [0, 6, 6],
      [22, 38, 16],
      [54, 56, 2],
    ]);
    expect(await forwardOne('5tswap', frame)).toEqual(expected);
  });

  it('leaves the data of a later fragment alone', async () => {
    const frame = udp4(pattern(40), { fragment: { offset: 1480, more: false } });
    const expected = swapped(frame, [
      [0, 6, 6],
      [26, 30, 4],
    ]);
    expect(await forwardOne('5tswap', frame)).toEqual(expected);
  });

  it('only swaps MAC addresses of what is not IP, and survives nonsense', async () => {
    const frame = ethernet(0x88b5, pattern(50));
    expect(await forwardOne('5tswap', frame)).toEqual(swapped(frame, [[0, 6, 6]]));
    const cut = ethernet(0x0800, [0x4f, 0, 0, 9]);
    expect(await forwardOne('5tswap', cut)).toEqual(swapped(cut, [[0, 6, 6]]));
  });
});

describe('retry', () => {
  it('sends again what was refused, and gives up after the number of attempts', async () => {
    const run = await rig.run('io', { settings: { retry: true, retryCount: 2 } });
    rig.fillTx();
    rig.inject([rig.packet(new Uint8Array(60))]);
    run.poll();
    expect([run.counter('TX'), run.counter('DROPPED')]).toEqual([0, 1]);
    rig.collect(1);
    rig.inject([rig.packet(new Uint8Array(60))]);
    run.poll();
    expect([run.counter('TX'), run.counter('DROPPED')]).toEqual([1, 1]);
    run.stop();
  });
});

describe('around the engines', () => {
  it('flushes what waits while it is opened, and counts it apart; what comes later is forwarded', async () => {
    rig.inject(Array.from({ length: 40 }, () => rig.packet(new Uint8Array(60))));
    const run = await rig.run('io', { data: { flush: true } });
    rig.inject([rig.packet(new Uint8Array(60))]);
    expect(run.poll()).toBe(1);
    expect(rig.collect()).toHaveLength(1);
    expect([run.counter('FLUSHED'), run.counter('RX'), run.counter('TX')]).toEqual([40, 1, 1]);
    run.stop();
  });

  it('sends the first bursts of tx_first, then forwards', async () => {
    const run = await rig.run('io', { data: { txFirst: 2 }, settings: { burst: 4 } });
    expect([run.poll(), run.poll(), run.poll()]).toEqual([4, 4, 0]);
    expect(run.counter('TX')).toBe(8);
    expect(rig.collect()).toHaveLength(8);
    run.stop();
  });

  it('records how full bursts were', async () => {
    const run = await rig.run('macswap', { settings: { recordBursts: true } });
    rig.inject([rig.packet(new Uint8Array(60)), rig.packet(new Uint8Array(60))]);
    run.poll();
    run.poll();
    const { RX_BURSTS, TX_BURSTS } = { RX_BURSTS: 8, TX_BURSTS: 8 + 513 };
    const counters = run.counters();
    expect([counters[RX_BURSTS], counters[RX_BURSTS + 2], counters[TX_BURSTS + 2]]).toEqual([1, 1, 1]);
    run.stop();
  });

  it('dumps packets when told to, without a restart', async () => {
    const run = await rig.run('io');
    const frame = udp4(pattern(30));
    rig.inject([rig.packet(frame)]);
    run.poll();
    expect(run.printed()).toBe('');
    run.message({ verbose: 3 });
    rig.inject([rig.packet(frame, { flags: L.OL_RX_IP_CKSUM_GOOD, segments: [40] })]);
    run.poll();
    const line = (end: string) =>
      '  src=02:AA:BB:CC:DD:01 - dst=02:11:22:33:44:02 - pool=rig - type=0x0800 - length=72 - nb_segs=2 - ' +
      'sw ptype: L2_ETHER L3_IPV4 L4_UDP  - l2_len=14 - l3_len=20 - l4_len=8 - Destination UDP port=53 - ' +
      `${end} queue=0x0\n`;
    expect(run.printed()).toBe(
      `port 0/queue 0: received 1 packets\n${line('Receive')}` +
        '  ol_flags: RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN RTE_MBUF_F_RX_IP_CKSUM_GOOD RTE_MBUF_F_RX_OUTER_L4_CKSUM_UNKNOWN \n' +
        `port 1/queue 0: sent 1 packets\n${line('Send')}  ol_flags: RTE_MBUF_F_TX_L4_NO_CKSUM \n`,
    );
    run.stop();
  });
});
