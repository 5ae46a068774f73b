/** The conformance suite's traffic tests: packets through a port, whatever kind of other side it has. Part of describe-driver.ts. */
import type { Port } from '@pollwire/ethdev';
import { native } from '@pollwire/native';
import { expect, it } from 'vitest';
import type { DriverBench, DriverCase, DriverPeer } from './describe-driver.js';
import { INTERESTING_LENGTHS, makeFrame, makeFrames } from './frames.js';

interface TrafficBench {
  withPort(body: (port: Port, n: number) => void | Promise<void>): () => Promise<void>;
  ready(port: Port, pairs?: number): Promise<void>;
  bench: DriverBench;
}

const MTU_OF_JUMBO = 9000;

export function describeTraffic(test: DriverCase, { withPort, ready, bench }: TrafficBench): void {
  const { capabilities, limits } = test.driver;
  const lengths = INTERESTING_LENGTHS.filter((length) => length <= limits.maxRxPktLen);
  const single = lengths.filter((length) => length <= 2048);

  /** Sends frames made of mbufs; returns how many the port took. Whatever it refused is freed. */
  function transmit(port: Port, frames: readonly Uint8Array[], queue = 0): number {
    const burst = bench.eal.burst(frames.length);
    expect(bench.pool.fill(burst, frames.length)).toBe(frames.length);
    frames.forEach((frame, i) => {
      expect(native.mbufAppend(burst.handles[i] as number, frame)).toBe(frame.length);
    });
    const sent = port.txQueue(queue).burst(burst);
    burst.free(sent);
    return sent;
  }

  /** Receives until `count` packets are there or nothing comes any more; frees them. */
  async function receive(port: Port, count: number, queue = 0): Promise<Uint8Array[]> {
    const burst = bench.eal.burst(32);
    const frames: Uint8Array[] = [];
    for (let idle = 0; frames.length < count && idle < 200; ) {
      const got = port.rxQueue(queue).burst(burst);
      for (let i = 0; i < got; i++) {
        const handle = burst.handles[i] as number;
        const frame = new Uint8Array(bench.eal.mbufs.pktLen(handle));
        native.mbufRead(handle, 0, frame);
        frames.push(frame);
      }
      burst.free();
      idle = got === 0 ? idle + 1 : 0;
      if (got === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    return frames;
  }

  async function collect(peer: DriverPeer, count: number, queue = 0): Promise<Uint8Array[]> {
    const frames: Uint8Array[] = [];
    for (let idle = 0; frames.length < count && idle < 200; idle++) {
      frames.push(...peer.receive(queue));
      if (frames.length < count) await new Promise((resolve) => setImmediate(resolve));
    }
    return frames;
  }

  it.runIf(capabilities.sourceSink)(
    'yields packets and takes any number',
    withPort(async (port) => {
      await ready(port);
      const burst = bench.eal.burst(32);
      expect(port.rxQueue(0).burst(burst)).toBe(32);
      expect(port.txQueue(0).burst(burst)).toBe(32);
      const { ipackets, opackets, ibytes } = port.stats();
      expect([ipackets, opackets]).toEqual([32n, 32n]);
      expect(ibytes).toBeGreaterThan(0n);
      port.resetStats();
      expect(port.stats()).toMatchObject({ ipackets: 0n, opackets: 0n, ibytes: 0n, obytes: 0n });
    }),
  );

  it.runIf(capabilities.loopback)(
    'returns what was sent, bit for bit and in order',
    withPort(async (port) => {
      await ready(port);
      const frames = makeFrames(single);
      expect(transmit(port, frames)).toBe(frames.length);
      expect(await receive(port, frames.length)).toEqual(frames);
      expect(port.stats()).toMatchObject({
        ipackets: BigInt(frames.length),
        opackets: BigInt(frames.length),
      });
    }),
  );

  const connect = test.peer;
  if (connect === undefined) return;

  /** A started port with its other side connected; the peer is gone before the port is. */
  const withPeer = (body: (port: Port, peer: DriverPeer) => Promise<void>, pairs = 1) =>
    withPort(async (port, n) => {
      await ready(port, pairs);
      const peer = await connect(port, n, bench.eal);
      if (capabilities.lsc === true) await until(() => port.link.up);
      try {
        await body(port, peer);
      } finally {
        await peer.close();
      }
    });

  it(
    'reports the link through an event, with the new state readable',
    withPort(async (port, n) => {
      await ready(port);
      // A link that needs no other side to come up goes down with the first one.
      if (port.link.up) {
        await (await connect(port, n, bench.eal)).close();
        await until(() => !port.link.up);
      }
      const seen: boolean[] = [];
      port.on('intr_lsc', (which) => seen.push(which.link.up));
      const peer = await connect(port, n, bench.eal);
      await until(() => port.link.up);
      await peer.close();
      await until(() => !port.link.up);
      expect(seen).toEqual([true, false]);
    }),
  );

  it(
    'receives every interesting length, bit for bit and in order',
    withPeer(async (port, peer) => {
      const frames = makeFrames(lengths);
      expect(peer.send(frames, 0)).toBe(frames.length);
      expect(await receive(port, frames.length)).toEqual(frames);
      const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
      expect(port.stats()).toMatchObject({
        ipackets: BigInt(frames.length),
        ibytes: BigInt(bytes),
        ierrors: 0n,
      });
    }),
  );

  it(
    'transmits every interesting length, bit for bit and in order',
    withPeer(async (port, peer) => {
      const frames = makeFrames(capabilities.multiSegTx === true ? lengths : single);
      expect(transmit(port, frames)).toBe(frames.length);
      expect(await collect(peer, frames.length)).toEqual(frames);
      expect(port.stats()).toMatchObject({ opackets: BigInt(frames.length), oerrors: 0n });
    }),
  );

  it(
    'goes around its rings many times without losing or mixing a packet',
    withPeer(async (port, peer) => {
      for (let round = 0; round < 100; round++) {
        const frames = Array.from({ length: 32 }, (_, i) =>
          makeFrame(round * 32 + i, 60 + ((round * 7 + i) % 1400)),
        );
        expect(peer.send(frames, 0)).toBe(32);
        expect(await receive(port, 32)).toEqual(frames);
        expect(transmit(port, frames)).toBe(32);
        expect(await collect(peer, 32)).toEqual(frames);
      }
    }),
  );

  it.runIf(test.overflow !== 'lost')(
    'keeps what does not fit with the caller',
    withPeer(async (port, peer) => {
      const frame = makeFrame(1, 64);
      let sent = 0;
      for (let i = 0; i < 64; i++)
        sent += transmit(
          port,
          Array.from({ length: 32 }, () => frame),
        );
      expect(sent).toBeLessThan(64 * 32);
      expect(await collect(peer, sent)).toHaveLength(sent);
    }),
  );

  it(
    'stops receiving when the pool is empty and goes on by itself when it is not',
    withPeer(async (port, peer) => {
      const hoard = bench.eal.burst(512);
      const rest = bench.eal.burst(512);
      const more = bench.eal.burst(512);
      const last = bench.eal.burst(512);
      for (const burst of [hoard, rest, more, last]) bench.pool.fill(burst, 512);
      peer.send(makeFrames([64, 65, 66]), 0);
      const burst = bench.eal.burst(32);
      const got = port.rxQueue(0).burst(burst);
      burst.free();
      for (const held of [hoard, rest, more, last]) held.free();
      expect((await receive(port, 3 - got)).length + got).toBe(3);
    }),
  );

  it(
    'survives its peer going and coming back, with packets in flight',
    withPort(async (port, n) => {
      await ready(port);
      for (let round = 0; round < 5; round++) {
        const peer = await connect(port, n, bench.eal);
        await until(() => port.link.up);
        const frames = makeFrames([100, 200, MTU_OF_JUMBO]);
        peer.send(frames, 0);
        if (round % 2 === 0) {
          // Where packets wait on this side of the port, those of the last round are still there.
          const received = await receive(port, 3);
          expect(received.slice(-3)).toEqual(frames);
          expect([3, 6]).toContain(received.length);
        }
        await peer.close();
        await until(() => !port.link.up);
      }
    }),
  );

  it.runIf(capabilities.alwaysPromiscuous !== true)(
    'receives its own frames and broadcasts, the rest while promiscuous mode is on',
    withPeer(async (port, peer) => {
      const to = (mac: ArrayLike<number>, length: number) => {
        const frame = makeFrame(length, length);
        frame.set(mac);
        return frame;
      };
      const own = to(port.mac, 100);
      const foreign = to([0x02, 0, 0, 0, 0, 0x77], 101);
      const group = to([0x01, 0, 0x5e, 0, 0, 0x77], 102);
      const broadcast = to([255, 255, 255, 255, 255, 255], 103);
      for (const on of [false, true, false]) {
        port.setPromiscuous(on);
        expect(port.promiscuous).toBe(on);
        // Its own frame comes last, so that the others have arrived or never will.
        expect(peer.send([foreign, group, broadcast, own], 0)).toBe(4);
        const wanted = on ? [foreign, group, broadcast, own] : [broadcast, own];
        expect(await receive(port, wanted.length)).toEqual(wanted);
      }
      expect(port.stats()).toMatchObject({ ipackets: 8n, ierrors: 0n });
    }),
  );

  const pairs = test.pairs ?? 1;
  it.runIf(pairs > 1)(
    'keeps its queues apart',
    withPeer(async (port, peer) => {
      for (let queue = 0; queue < pairs; queue++) {
        const frames = makeFrames([64, 128, 1500], 1000 * queue);
        expect(peer.send(frames, queue)).toBe(3);
        expect(await receive(port, 3, queue)).toEqual(frames);
        expect(transmit(port, frames, queue)).toBe(3);
        expect(await collect(peer, 3, queue)).toEqual(frames);
      }
      expect(port.queueStats().rx.map(({ packets }) => packets)).toEqual(
        Array.from({ length: pairs }, () => 3n),
      );
    }, pairs),
  );
}

async function until(condition: () => boolean, ms = 2000): Promise<void> {
  const end = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > end) throw new Error('the condition did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
