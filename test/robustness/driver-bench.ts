/** One case of our driver under attack: a hostile back-end, and a net_virtio_user port that is connected to it. */
import assert from 'node:assert/strict';
import type { Burst, CounterName, Port } from '@pollwire/ethdev';
import { native } from '@pollwire/native';
import { Feature } from '@pollwire/vhost-user';
import type { Bench } from './bench.js';
import { until } from './bench.js';
import type { DeviceRing, Offered } from './peers/device-ring.js';
import type { BackendScript } from './peers/hostile-backend.js';
import { HostileBackend, PLAIN_FEATURES } from './peers/hostile-backend.js';
import type { Format } from './row.js';

/** Bytes of the virtio-net header (virtio 1.2 §5.1.6). */
export const HEADER = 12;
export const RX = 0;
export const TX = 1;

export interface PortOptions {
  readonly inOrder?: boolean;
  readonly mergeable?: boolean;
  readonly queueSize?: number;
  readonly script?: BackendScript;
}

/** A port and the back-end that it is connected to. */
export interface Attacked {
  readonly port: Port;
  readonly backend: HostileBackend;
  /** Times that the link went down. */
  readonly downs: () => number;
}

export class DriverBench {
  readonly bench: Bench;
  readonly format: Format;
  readonly #backends: HostileBackend[] = [];
  readonly #ports: Port[] = [];
  readonly #burst: Burst;

  constructor(bench: Bench, format: Format) {
    this.bench = bench;
    this.format = format;
    this.#burst = bench.eal.burst(64);
  }

  /** A back-end that listens, and the arguments of a port for it. */
  prepare(options: PortOptions = {}): { backend: HostileBackend; devargs: string } {
    const { n, path } = this.bench.next();
    const packed = this.format === 'packed';
    const order = options.inOrder === true ? Feature.VIRTIO_F_IN_ORDER : 0n;
    const features = PLAIN_FEATURES | order | (packed ? Feature.VIRTIO_F_RING_PACKED : 0n);
    const backend = new HostileBackend(path, { features, ...options.script });
    this.#backends.push(backend);
    const flags = `mrg_rxbuf=${Number(options.mergeable ?? true)},in_order=${Number(options.inOrder ?? false)}`;
    const size = options.queueSize ?? 64;
    const devargs = `net_virtio_user${n},path=${path},packed_vq=${Number(packed)},${flags},queue_size=${size}`;
    return { backend, devargs };
  }

  /** Attaches and configures, without starting. */
  async attach(options: PortOptions = {}): Promise<Attacked> {
    const { backend, devargs } = this.prepare(options);
    const port = await this.bench.eal.attach(devargs);
    this.#ports.push(port);
    this.bench.configure(port);
    // Frames of any address: the filter is not what is tried here.
    port.setPromiscuous(true);
    let downs = 0;
    port.on('intr_lsc', () => {
      if (!port.link.up) downs++;
    });
    return { port, backend, downs: () => downs };
  }

  /** Attaches and starts: the link is up, receive buffers are posted. */
  async start(options: PortOptions = {}): Promise<Attacked> {
    const attacked = await this.attach(options);
    await attacked.port.start();
    assert.equal(attacked.port.link.up, true);
    return attacked;
  }

  /** Puts a frame behind its header into a posted buffer. */
  fill(
    backend: HostileBackend,
    buffer: Offered,
    frame: Uint8Array,
    buffers = 1,
    header?: Uint8Array,
  ): number {
    const { u8, view } = backend.memory;
    u8.fill(0, buffer.at, buffer.at + HEADER);
    if (header !== undefined) u8.set(header, buffer.at);
    view.setUint16(buffer.at + 10, buffers, true);
    u8.set(frame, buffer.at + HEADER);
    return HEADER + frame.length;
  }

  /** Delivers frames one after the other into fresh buffers, as a good device does. */
  deliver(
    backend: HostileBackend,
    ring: DeviceRing,
    buffers: Offered[],
    frames: readonly Uint8Array[],
  ): void {
    if (buffers.length < frames.length) buffers.push(...ring.take());
    const entries = frames.map((frame) => {
      const buffer = buffers.shift() as Offered;
      return { id: buffer.id, length: this.fill(backend, buffer, frame) };
    });
    ring.give(entries);
  }

  /** One rx burst; the frames in it, which are freed. */
  receive(port: Port, max = 64): Uint8Array[] {
    const burst = this.#burst;
    const got = port.rxQueue(0).burst(burst, max);
    const bytes = Array.from(burst.handles.subarray(0, got), (handle) => {
      const frame = new Uint8Array(this.bench.eal.mbufs.pktLen(handle));
      assert.equal(native.mbufRead(handle, 0, frame), frame.length);
      return frame;
    });
    burst.free();
    return bytes;
  }

  /** One tx burst of `count` frames of 60 bytes; how many the driver took. */
  transmit(port: Port, count: number): number {
    const burst = this.#burst;
    assert.equal(this.bench.pool.fill(burst, count), count, 'the pool is empty');
    const frame = new Uint8Array(60).fill(0x5a);
    for (let i = 0; i < count; i++) native.mbufAppend(burst.at(i), frame);
    const took = port.txQueue(0).burst(burst);
    burst.free(took);
    return took;
  }

  counter(port: Port, queue: 'rx' | 'tx', name: CounterName): number {
    const end = queue === 'rx' ? port.rxQueue(0) : port.txQueue(0);
    return Number(end.control.counters.read(name));
  }

  /** The ring has stopped: one event, one line with the reason, no more packets; and it works again after stop and start. */
  async expectBroken({ port, downs }: Attacked, ring: typeof RX | typeof TX): Promise<void> {
    const queue = ring === RX ? 'rx' : 'tx';
    const poll = () => (ring === RX ? this.receive(port) : this.transmit(port, 1));
    await until('the event', () => downs() > 0);
    for (let i = 0; i < 3; i++) poll();
    assert.equal(this.counter(port, queue, 'BROKEN'), 1, 'the break is counted once');
    const said = new RegExp(`ring ${ring} stopped: the back-end broke its rules \\(BAD_USED\\)`);
    assert.equal(this.bench.logged(said).length, 1, this.bench.lines.join('\n'));
    assert.equal(downs(), 1, 'one event');
    assert.equal(port.link.up, false);
  }

  /** A good exchange, after whatever came before: the port is of use again. */
  async expectUsable({ port, backend }: Attacked): Promise<void> {
    await port.stop();
    await until('the back-end', () => backend.connected);
    await port.start();
    await until('the link', () => port.link.up);
    const frame = new Uint8Array(64).fill(7);
    this.deliver(backend, backend.ring(RX), [], [frame]);
    assert.deepEqual(this.receive(port), [frame]);
    assert.equal(this.transmit(port, 4), 4);
    assert.equal(backend.ring(TX).take().length, 4);
  }

  /** Takes one port and its back-end down before the case is over. */
  async release(port: Port, backend: HostileBackend): Promise<void> {
    await this.#detach(port);
    backend.close();
    this.#backends.splice(this.#backends.indexOf(backend), 1);
  }

  async #detach(port: Port): Promise<void> {
    if (this.bench.eal.port(port.id) !== port) return;
    if (port.state === 'started') await port.stop();
    await this.bench.eal.detach(port);
  }

  /** Takes everything down, whatever state it is in. */
  async close(): Promise<void> {
    for (const port of this.#ports) await this.#detach(port);
    for (const backend of this.#backends) backend.close();
    this.#burst.release();
  }
}
