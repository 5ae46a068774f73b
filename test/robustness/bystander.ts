/** A port beside the one under attack, with a guest that behaves: whatever happens next door, its frames arrive, all of them. */
import assert from 'node:assert/strict';
import type { Eal, Mempool, Port } from '@pollwire/ethdev';
import { native } from '@pollwire/native';
import { FakeFrontend, makeFrames } from '@pollwire/testkit';
import { waitUntil } from '../harness/wait.js';

const LENGTHS = [60, 61, 128, 1000, 1514, 60, 700, 64];

export class Bystander {
  readonly #eal: Eal;
  readonly #port: Port;
  readonly #pool: Mempool;
  readonly #guest: FakeFrontend;
  #sequence = 0;

  static async open(eal: Eal, path: string): Promise<Bystander> {
    const pool = eal.createPool({ name: 'bystander', size: 256, cache: 0 });
    const port = await eal.attach(`net_vhost100,iface=${path}`);
    port.configure({ rxQueues: 1, txQueues: 1 });
    port.setupRxQueue(0, { pool });
    port.setupTxQueue(0);
    await port.start();
    const guest = await FakeFrontend.connect(path);
    await waitUntil('the port beside to be up', 2000, () => port.link.up, 2);
    return new Bystander(eal, port, pool, guest);
  }

  private constructor(eal: Eal, port: Port, pool: Mempool, guest: FakeFrontend) {
    this.#eal = eal;
    this.#port = port;
    this.#pool = pool;
    this.#guest = guest;
  }

  /** Frames to the guest and back; every one of them must arrive unchanged, in order, at once. */
  async exchange(): Promise<void> {
    const frames = makeFrames(LENGTHS, this.#sequence);
    this.#sequence += frames.length;
    assert.equal(this.#guest.send(frames), frames.length, 'the guest beside could not send');
    const burst = this.#eal.burst(32);
    try {
      assert.equal(
        this.#port.rxQueue(0).burst(burst),
        frames.length,
        'frames of the port beside are missing',
      );
      assert.equal(this.#port.txQueue(0).burst(burst), frames.length, 'the port beside does not send');
    } finally {
      burst.free(burst.first);
      burst.release();
    }
    assert.deepEqual(this.#guest.receive(), frames, 'frames of the port beside have changed');
    assert.equal(native.poolInfo(this.#pool.index).free, 256, 'mbufs of the port beside are missing');
  }

  async close(): Promise<void> {
    await this.#guest.close();
    await this.#port.stop();
    await this.#eal.detach(this.#port);
  }
}
