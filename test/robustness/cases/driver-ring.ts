/** Rows 143 to 152: a device that lies in the rings of our driver. */
import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { native } from '@pollwire/native';
import type { DriverCase } from '../case.js';
import { driverCase } from '../case.js';
import { HEADER, RX, TX } from '../driver-bench.js';
import type { UsedEntry } from '../peers/device-ring.js';

const FRAME = Uint8Array.from({ length: 60 }, (_, i) => i);
const WHOLE = HEADER + FRAME.length;

/** Both rings of a port get the same wrong entries; `lie` gets the ids that are in flight. */
function badEntries(
  row: number,
  what: string,
  lie: (ids: readonly number[], size: number) => readonly UsedEntry[],
  good: number,
): DriverCase {
  return driverCase(row, what, async (bench) => {
    const attacked = await bench.start();
    const { port, backend } = attacked;
    const ring = backend.ring(RX);
    const buffers = ring.take();
    for (const buffer of buffers.slice(0, 8)) bench.fill(backend, buffer, FRAME);
    ring.give(
      lie(
        buffers.map(({ id }) => id),
        ring.size,
      ),
    );
    assert.equal(bench.receive(port).length, good, 'the good ones before it');
    bench.receive(port);
    await bench.expectBroken(attacked, RX);
    assert.equal(bench.transmit(port, 2), 2, 'the other ring goes on');
    await bench.expectUsable(attacked);

    const second = await bench.start();
    const tx = second.backend.ring(TX);
    assert.equal(bench.transmit(second.port, 40), 40);
    const sent = tx.take().map(({ id }) => id);
    tx.give(lie(sent, tx.size));
    // Used ones are looked for when they are needed.
    for (let i = 0; i < 8 && second.downs() === 0; i++) {
      bench.transmit(second.port, 8);
      await setImmediate();
    }
    bench.bench.lines.splice(0, bench.bench.lines.length, ...bench.bench.lines.slice(-1));
    await bench.expectBroken(second, TX);
    assert.equal(bench.receive(second.port).length, 0);
    await bench.expectUsable(second);
  });
}

function unordered(): DriverCase {
  return driverCase(143, 'an id that is not next, in order', async (bench) => {
    const attacked = await bench.start({ inOrder: true });
    const { port, backend } = attacked;
    const ring = backend.ring(RX);
    const [first] = ring.take();
    assert.ok(first);
    const length = bench.fill(backend, first, FRAME);
    ring.give([
      { id: first.id, length },
      { id: ring.size + 1, length },
    ]);
    assert.equal(bench.receive(port).length, 1, 'the good one before it');
    bench.receive(port);
    await bench.expectBroken(attacked, RX);
    await bench.expectUsable(attacked);
  });
}

function impossible(row: number, what: string, lie: number, formats: DriverCase['formats']): DriverCase {
  return driverCase(
    row,
    what,
    async (bench) => {
      const attacked = await bench.start();
      attacked.backend.ring(RX).take();
      attacked.backend.ring(RX).impossible(lie);
      assert.equal(bench.receive(attacked.port).length, 0);
      await bench.expectBroken(attacked, RX);
      await bench.expectUsable(attacked);
    },
    formats,
  );
}

const entry = (id: number): UsedEntry => ({ id, length: WHOLE });

function lengths(): DriverCase {
  return driverCase(144, 'lengths that cannot be', async (bench) => {
    for (const mergeable of [true, false]) {
      const { port, backend } = await bench.start({ mergeable });
      const ring = backend.ring(RX);
      const buffers = ring.take();
      const posted = (buffers[0] as { length: number }).length;
      const bad = [0, 1, HEADER - 1, HEADER, HEADER + 13, posted + 1, 0x1_0000, 0x7fff_ffff, 0xffff_fffe];
      for (const length of bad) {
        const buffer = buffers.shift() as (typeof buffers)[0];
        bench.fill(backend, buffer, FRAME);
        ring.give([{ id: buffer.id, length }]);
      }
      bench.deliver(backend, ring, buffers, [FRAME]);
      assert.deepEqual(bench.receive(port), [FRAME], 'the one good frame');
      assert.equal(bench.counter(port, 'rx', 'RX_BAD_LENGTH'), bad.length, 'each is counted');
      assert.equal(port.link.up, true);
      await bench.release(port, backend);
    }
  });
}

function bufferCounts(): DriverCase {
  return driverCase(146, 'buffer counts that lie', async (bench) => {
    for (const count of [0, 2, 17, 65_535]) {
      const { port, backend } = await bench.start();
      const ring = backend.ring(RX);
      const buffers = ring.take();
      const [first] = buffers.splice(0, 1);
      assert.ok(first);
      ring.give([{ id: first.id, length: bench.fill(backend, first, FRAME, count) }]);
      assert.deepEqual(bench.receive(port), []);
      assert.equal(bench.counter(port, 'rx', 'RX_BAD_CHAIN'), 1, `num_buffers ${count}`);
      bench.deliver(backend, ring, buffers, [FRAME]);
      assert.deepEqual(bench.receive(port), [FRAME], 'the next frame is a frame again');
      await bench.release(port, backend);
    }
  });
}

function scribbles(): DriverCase {
  return driverCase(147, 'rewrites what only the driver may write', async (bench) => {
    const { port, backend } = await bench.start();
    const rx = backend.ring(RX);
    const buffers = rx.take();
    assert.equal(bench.transmit(port, 16), 16);
    const sent = backend.ring(TX).take();
    for (const buffer of buffers.slice(0, 16)) bench.fill(backend, buffer, FRAME);
    rx.scribble();
    backend.ring(TX).scribble();
    rx.give(buffers.slice(0, 16).map(({ id }) => entry(id)));
    backend.ring(TX).give(sent.map(({ id }) => ({ id, length: 0 })));
    assert.equal(bench.receive(port).length, 16);
    assert.equal(bench.transmit(port, 40), 40, 'the used ones are free again');
    assert.equal(port.link.up, true);
  });
}

function rewrites(): DriverCase {
  return driverCase(148, 'writes into buffers that it gave back', async (bench) => {
    const { port, backend } = await bench.start();
    const ring = backend.ring(RX);
    const [first, second] = ring.take();
    assert.ok(first && second);
    ring.give([{ id: first.id, length: bench.fill(backend, first, FRAME) }]);
    const burst = bench.bench.eal.burst(4);
    assert.equal(port.rxQueue(0).burst(burst), 1);
    // The header of a packet that was received is of no use any more; its length was taken before.
    backend.memory.u8.fill(0xff, first.at, first.at + HEADER);
    assert.equal(bench.bench.eal.mbufs.pktLen(burst.at(0)), FRAME.length);
    burst.free();
    burst.release();
    ring.give([{ id: second.id, length: bench.fill(backend, second, FRAME) }]);
    assert.deepEqual(bench.receive(port), [FRAME]);
  });
}

function headers(): DriverCase {
  return driverCase(149, 'headers of nonsense', async (bench) => {
    const { port, backend } = await bench.start();
    const ring = backend.ring(RX);
    const buffers = ring.take();
    let received = 0;
    for (let seed = 0; seed < 200; seed++) {
      const header = Uint8Array.from(
        { length: 10 },
        (_, i) => (seed * 73 + i * 151 + ((seed * i) >> 3)) & 0xff,
      );
      if (buffers.length === 0) buffers.push(...ring.take());
      const buffer = buffers.shift() as (typeof buffers)[0];
      ring.give([{ id: buffer.id, length: bench.fill(backend, buffer, FRAME, 1, header) }]);
      received += bench.receive(port).filter((frame) => frame.length === FRAME.length).length;
    }
    // Nothing of it was negotiated: the fields are not looked at.
    assert.equal(received, 200);
  });
}

function notifications(): DriverCase {
  return driverCase(150, 'calls without end, or never', async (bench) => {
    const { port, backend } = await bench.start();
    const ring = backend.ring(RX);
    const buffers = ring.take();
    for (let i = 0; i < 10_000; i++) native.eventfdSignal(backend.callFd(RX));
    bench.deliver(backend, ring, buffers, [FRAME]);
    assert.deepEqual(bench.receive(port), [FRAME]);
    bench.deliver(backend, ring, buffers, [FRAME, FRAME]);
    assert.equal(bench.receive(port).length, 2, 'without any call');
  });
}

function stopsConsuming(): DriverCase {
  return driverCase(151, 'takes no packet any more', async (bench) => {
    const { port } = await bench.start();
    let taken = 0;
    for (let i = 0; i < 40; i++) taken += bench.transmit(port, 8);
    assert.equal(taken, 64, 'a ring full, not one more');
    assert.equal(bench.counter(port, 'tx', 'TX_RING_FULL'), 40 * 8 - 64);
    const begin = performance.now();
    await port.stop();
    assert.ok(performance.now() - begin < 1000, 'stop does not wait for it');
  });
}

export const DRIVER_RING: readonly DriverCase[] = [
  badEntries(143, 'an id outside the ring', ([a], size) => [entry(a as number), entry(size)], 1),
  badEntries(143, 'an id of 65,535', ([a]) => [entry(a as number), entry(65_535)], 1),
  badEntries(143, 'an id twice', ([a]) => [entry(a as number), entry(a as number)], 1),
  unordered(),
  lengths(),
  impossible(145, 'a used index one too far', 0, ['split']),
  impossible(145, 'a used index 30,000 too far', 1, ['split']),
  impossible(145, 'a used index that goes back', 2, ['split']),
  bufferCounts(),
  scribbles(),
  rewrites(),
  headers(),
  notifications(),
  stopsConsuming(),
  impossible(152, 'owner bits of no lap', 0, ['packed']),
  impossible(152, 'owner bits of another lap', 1, ['packed']),
];
