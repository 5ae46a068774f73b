/** One case of our device under attack: a net_vhost port, and whoever connects to its socket. */
import assert from 'node:assert/strict';
import type { Burst, CounterName, Port } from '@pollwire/ethdev';
import { native } from '@pollwire/native';
import type { Bench } from './bench.js';
import { until } from './bench.js';
import type { GuestOptions } from './peers/hostile-guest.js';
import { HostileGuest } from './peers/hostile-guest.js';
import { RawFrontend } from './peers/raw-frontend.js';
import type { Format } from './row.js';

export interface VhostOptions {
  /** Queue pairs. Default 1. */
  readonly queues?: number;
  /** Further devargs. */
  readonly more?: string;
}

export class FrontBench {
  readonly bench: Bench;
  readonly format: Format;
  readonly #ports: Port[] = [];
  readonly #peers: { close(): void }[] = [];
  readonly #burst: Burst;
  #port: { port: Port; path: string } | undefined;

  constructor(bench: Bench, format: Format) {
    this.bench = bench;
    this.format = format;
    this.#burst = bench.eal.burst(64);
  }

  /** The port under attack, started at the first call. */
  async target(options: VhostOptions = {}): Promise<{ port: Port; path: string }> {
    if (this.#port === undefined) {
      const { n, path } = this.bench.next();
      const { queues = 1, more = '' } = options;
      const port = await this.bench.eal.attach(`net_vhost${n},iface=${path},queues=${queues}${more}`);
      this.#ports.push(port);
      this.bench.configure(port, queues);
      await port.start();
      this.#port = { port, path };
    }
    return this.#port;
  }

  /** A connection on which any bytes can be sent. */
  async connect(options: VhostOptions = {}): Promise<RawFrontend> {
    const { path } = await this.target(options);
    const peer = new RawFrontend(path);
    this.#peers.push(peer);
    return peer;
  }

  /** A guest with running rings that do whatever the case wants. */
  async guest(options: GuestOptions = {}): Promise<HostileGuest> {
    const { path, port } = await this.target();
    const guest = new HostileGuest(new RawFrontend(path), { packed: this.format === 'packed', ...options });
    this.#peers.push(guest);
    await guest.start();
    await until('the link', () => port.link.up);
    return guest;
  }

  /** One rx burst, freed; how many packets. */
  receive(port: Port, max = 64): number {
    const got = port.rxQueue(0).burst(this.#burst, max);
    this.#burst.free();
    return got;
  }

  /** One tx burst of `count` frames of `length` bytes; how many were taken. */
  transmit(port: Port, count: number, length = 60): number {
    const burst = this.#burst;
    assert.equal(this.bench.pool.fill(burst, count), count, 'the pool is empty');
    const frame = new Uint8Array(length).fill(0x5a);
    for (let i = 0; i < count; i++) assert.equal(native.mbufAppend(burst.at(i), frame), length);
    const took = port.txQueue(0).burst(burst);
    burst.free(took);
    return took;
  }

  counter(port: Port, queue: 'rx' | 'tx', name: CounterName): number {
    const end = queue === 'rx' ? port.rxQueue(0) : port.txQueue(0);
    return Number(end.control.counters.read(name));
  }

  /** The connection is closed by our side with one line that says why, and the listener takes the next one. */
  async expectClosed(peer: RawFrontend, reason: RegExp, what = ''): Promise<void> {
    await until(`the connection to be closed ${what}`, () => peer.gone);
    const lines = this.bench.logged(/^pmd\.net\.vhost: \S+: (?!connection closed|a front-end connected)/);
    assert.equal(lines.length, 1, `one line ${what}, not:\n${this.bench.lines.join('\n')}`);
    assert.match(lines[0] as string, reason);
    peer.close();
    this.bench.lines.length = 0;
    await this.expectServes();
    this.bench.lines.length = 0;
  }

  /** A front-end that behaves is served, once those that were before it in the queue are gone. */
  async expectServes(): Promise<void> {
    const { path, port } = await this.target();
    const isFree = () => port.privateInfo().connected === '0';
    for (let tries = 0; ; tries++) {
      await until('the place to be free', isFree);
      const good = new RawFrontend(path);
      const features = await good.getFeatures();
      good.close();
      if (features !== 0n) break;
      assert.ok(tries < 100, 'a good front-end is not served');
    }
    await until('the place to be free again', isFree);
  }

  /** Closes it with the others. */
  protected adopt(peer: { close(): void }): void {
    this.#peers.push(peer);
  }

  /** Hangs every peer up. */
  drop(): void {
    for (const peer of this.#peers.splice(0)) peer.close();
  }

  async close(): Promise<void> {
    this.drop();
    for (const port of this.#ports) {
      if (this.bench.eal.port(port.id) !== port) continue;
      if (port.state === 'started') await port.stop();
      await this.bench.eal.detach(port);
    }
    this.#burst.release();
  }
}
