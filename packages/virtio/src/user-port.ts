/**
 * The device behind a net_virtio_user port: rings in the arena, given to whichever back-end is connected. Rings run while the port is
 * started and a back-end is there; both may come and go in any order.
 */
import type {
  Device,
  Limits,
  LinkStatus,
  PortConfig,
  ProbeContext,
  QueueEnd,
  RxQueueSetup,
  TxQueueSetup,
} from '@pollwire/ethdev';
import { RX_OFFLOADS, randomMac, VLAN_FILTER, VLAN_STRIP, vlanOffloadOf } from '@pollwire/ethdev';
import { native, onDeviceEvent, PollwireError } from '@pollwire/native';
import type { VringPlan } from '@pollwire/vhost-user';
import { Feature, featureNames, startDevice, stopDevice } from '@pollwire/vhost-user';
import { arenaRegion } from './arena-region.js';
import type { FeatureArgs } from './features.js';
import {
  ackedFeatures,
  missingRxOffloads,
  OFFLOAD_FEATURES,
  offloadFeatures,
  REQUIRED,
  wishedFeatures,
} from './features.js';
import { RxFilter } from './rx-filter.js';
import type { Backend } from './user-link.js';
import { UserLink } from './user-link.js';
import { bufferProblem } from './user-mtu.js';
import { queueStats } from './user-stats.js';

export interface VirtioUserArgs extends FeatureArgs {
  readonly path: string;
  readonly mac: Uint8Array | undefined;
  readonly queue_size: number;
  readonly server: boolean;
  readonly speed: number;
}

/** A queue that was set up. */
interface PortQueue {
  /** Virtqueue number: rx queue q is 2q, tx queue q is 2q+1. */
  readonly vq: number;
  readonly slot: number;
  readonly pool: number;
  /** rx: data room of the pool's mbufs. */
  readonly room?: number;
}

const NO_POOL = 0xffff_ffff;
/** Largest ring of the virtio specification, in either format. */
const MAX_RING = 32_768;
/** What a back-end that comes and goes may write into the log. */
const PEER_LINES = { milliseconds: 10_000, lines: 3 };
/** How long a stop waits for the back-end to let go, milliseconds; a slower one loses the connection. */
const STOP_GRACE = 800;

export class VirtioUserPort implements Device {
  readonly mac: Uint8Array;
  readonly link: Partial<LinkStatus>;
  readonly limits: Partial<Limits>;
  readonly #ctx: ProbeContext<VirtioUserArgs>;
  readonly #link: UserLink;
  readonly #id: number;
  readonly #queues = new Map<number, PortQueue>();
  readonly #filter: RxFilter;
  readonly #unsubscribe: () => void;
  #pairs: number;
  #mtu = 0;
  /** Features that the configured offloads ask for. */
  #offloads = 0n;
  /** The port is started. */
  #wanted = false;
  /** Rings run at this back-end. */
  #running: Backend | undefined;
  /** Serialises starting and stopping: both are conversations with the back-end. */
  #turn: Promise<void> = Promise.resolve();

  /** Connects (or listens) and negotiates. */
  static async open(ctx: ProbeContext<VirtioUserArgs>): Promise<VirtioUserPort> {
    const port = new VirtioUserPort(ctx);
    try {
      await port.#link.open();
    } catch (error) {
      port.#release();
      throw error;
    }
    return port;
  }

  private constructor(ctx: ProbeContext<VirtioUserArgs>) {
    const { args } = ctx;
    this.#ctx = ctx;
    this.#pairs = args.queues;
    this.mac = args.mac ?? randomMac();
    this.link = { up: false, speed: args.speed, duplex: 'full', autoneg: false };
    const size = args.queue_size;
    this.limits = {
      rxQueues: args.queues,
      txQueues: args.queues,
      // The device's number is used whatever is wished: see #addQueue.
      descriptors: { min: 1, max: MAX_RING, default: size },
    };
    this.#id = native.virtioCreate(args.queues * 2);
    this.#filter = new RxFilter(this.#id, this.mac);
    this.#unsubscribe = onDeviceEvent('virtio', this.#id, ({ ring, reason }) => {
      // Events come a turn later: the ring may have been set up anew since.
      if (!this.#isBroken(ring)) return;
      ctx.log.warn(`${args.path}: ring ${ring} stopped: the back-end broke its rules (${reason})`);
      ctx.link({ up: false });
    });
    const options = {
      path: args.path,
      server: args.server,
      features: wishedFeatures(args) | OFFLOAD_FEATURES,
      required: REQUIRED,
      queues: () => this.#pairs,
    };
    this.#link = new UserLink(options, {
      found: () => this.#found(),
      lost: (reason) => this.#lost(reason),
      problem: (text) => ctx.log.limited('warning', 'problem', text, PEER_LINES),
    });
  }

  configure(config: PortConfig): void {
    this.#pairs = Math.max(config.rxQueues, config.txQueues);
    this.#mtu = config.mtu;
    this.#filter.setVlanFilter((vlanOffloadOf(config.rxOffloads) & VLAN_FILTER) !== 0);
    this.#offloads = offloadFeatures(config.rxOffloads, config.txOffloads);
  }

  rxQueue(queue: number, setup: RxQueueSetup): QueueEnd {
    const vq = queue * 2;
    const { pool, offloads, descriptors } = setup;
    this.#checkBuffers(this.#mtu, [pool.dataRoom]);
    native.virtioStripVlan(this.#id, vq, (offloads & (1 << RX_OFFLOADS.VLAN_STRIP)) !== 0);
    const slot = this.#ctx.slot();
    return this.#addQueue({ vq, slot, pool: pool.index, room: pool.dataRoom }, descriptors);
  }

  txQueue(queue: number, setup: TxQueueSetup): QueueEnd {
    return this.#addQueue({ vq: queue * 2 + 1, slot: this.#ctx.slot(), pool: NO_POOL }, setup.descriptors);
  }

  // What follows takes effect at once, also while packets flow.

  setVlanOffload(mask: number): void {
    for (const { vq } of this.#used()) {
      if (vq % 2 === 0) native.virtioStripVlan(this.#id, vq, (mask & VLAN_STRIP) !== 0);
    }
    this.#filter.setVlanFilter((mask & VLAN_FILTER) !== 0);
  }

  setPromiscuous(on: boolean): void {
    this.#filter.setPromiscuous(on);
  }

  setAllMulticast(on: boolean): void {
    this.#filter.setAllMulticast(on);
  }

  setMac(mac: Uint8Array): void {
    this.#filter.setMac(mac);
  }

  addMac(mac: Uint8Array): void {
    this.#filter.addMac(mac);
  }

  removeMac(mac: Uint8Array): void {
    this.#filter.removeMac(mac);
  }

  setMulticastList(macs: readonly Uint8Array[]): void {
    this.#filter.setMulticastList(macs);
  }

  vlanFilter(id: number, on: boolean): void {
    this.#filter.setVlan(id, on);
  }

  setMtu(mtu: number): void {
    this.#checkBuffers(mtu);
    this.#mtu = mtu;
  }

  async start(): Promise<void> {
    this.#wanted = true;
    try {
      await this.#settle();
    } catch (error) {
      // The port is not started then, and must not come up by itself when the back-end returns.
      this.#wanted = false;
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#wanted = false;
    const text = `it did not let go of the rings within ${STOP_GRACE} ms`;
    const impatient = setTimeout(() => this.#link.backend?.client.close(text), STOP_GRACE);
    try {
      await this.#settle();
    } finally {
      clearTimeout(impatient);
    }
  }

  async close(): Promise<void> {
    this.#link.close();
    await this.#turn;
    this.#release();
  }

  *xstats(): Generator<[name: string, value: bigint]> {
    for (const { vq, slot } of this.#used()) yield* queueStats(vq, slot);
  }

  info(): Record<string, string> {
    const backend = this.#link.backend;
    const { path, server, queue_size } = this.#ctx.args;
    const features = ackedFeatures(backend?.negotiated.features ?? 0n, this.#offloads);
    return {
      path,
      role: server ? 'server' : 'client',
      connected: backend === undefined ? '0' : '1',
      running: this.#running === undefined ? '0' : '1',
      features: `0x${features.toString(16)} (${featureNames(features).join(', ')})`,
      ring: (features & Feature.VIRTIO_F_RING_PACKED) === 0n ? 'split' : 'packed',
      queue_size: String(queue_size),
      backend_queue_pairs: String(backend?.negotiated.queueNum ?? ''),
      rx_filter: this.#filter.describe(),
      rss: 'not negotiated by this device',
    };
  }

  // What happens by itself.

  #found(): void {
    void this.#settle().catch((error: unknown) => {
      this.#ctx.log.limited('error', 'start', (error as Error).message, PEER_LINES);
    });
  }

  #lost(reason: string): void {
    const text = `${this.#ctx.args.path}: the back-end is gone (${reason}); waiting for it`;
    this.#ctx.log.limited('notice', 'gone', text, PEER_LINES);
    this.#haltRings('gone');
  }

  /** Brings the rings to what is wanted now, after whatever conversation is under way. */
  #settle(): Promise<void> {
    const turn = this.#turn.then(async () => {
      const backend = this.#link.backend;
      if (this.#wanted && backend !== undefined && this.#running !== backend) await this.#run(backend);
      if (!this.#wanted && this.#running !== undefined) await this.#halt(this.#running);
    });
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #run(backend: Backend): Promise<void> {
    const { client, negotiated } = backend;
    const problem = this.#bufferProblem(this.#mtu, this.#rooms());
    if (problem !== undefined) this.#ctx.log.warn(`${this.#ctx.args.path}: ${problem}`);
    const features = ackedFeatures(negotiated.features, this.#offloads);
    const missing = missingRxOffloads(features, this.#offloads);
    if (missing !== undefined) {
      this.#ctx.log.warn(
        `${this.#ctx.args.path}: ${missing}: the back-end does not offer it, or mrg_rxbuf=0`,
      );
    }
    // The last back-end has had the time of a whole negotiation to stop writing.
    native.virtioReleaseQuarantine(this.#id);
    const kicks: number[] = [];
    try {
      const vrings: VringPlan[] = [];
      for (const { vq } of this.#used()) {
        const areas = native.virtioQueueSetup(this.#id, vq, { size: this.#ctx.args.queue_size, features });
        const kickFd = native.eventfdCreate();
        const callFd = native.eventfdCreate();
        kicks.push(kickFd, callFd);
        vrings.push({
          index: vq,
          size: this.#ctx.args.queue_size,
          ...areas,
          kickFd,
          callFd,
        });
      }
      for (const queue of this.#used()) native.virtioQueueStart(this.#id, queue.vq);
      await startDevice(client, { features, regions: [arenaRegion()], vrings });
      for (const { index, kickFd, callFd } of vrings) {
        native.virtioQueueKick(this.#id, index, kickFd as number);
        native.virtioQueueCall(this.#id, index, callFd as number);
      }
      kicks.length = 0;
    } catch (error) {
      for (const fd of kicks) native.closeFd(fd);
      this.#haltRings('gone');
      client.close('the rings could not be started');
      throw error;
    }
    if (this.#link.backend !== backend) {
      this.#haltRings('gone');
      return;
    }
    this.#running = backend;
    // A port that was connected anew is polled all the time: a ring may be broken already.
    this.#ctx.link({ up: !this.#used().some(({ vq }) => this.#isBroken(vq)) });
  }

  async #halt(backend: Backend): Promise<void> {
    const rings = this.#used().map(({ vq }) => vq);
    let how: 'let go' | 'gone' = 'gone';
    try {
      if (backend.client.open) {
        await stopDevice(backend.client, rings);
        how = 'let go';
      }
    } catch (error) {
      // A back-end that does not let go in order loses the connection; the rings stop either way.
      if (backend.client.open) this.#ctx.log.warn(`${this.#ctx.args.path}: ${(error as Error).message}`);
      backend.client.close('the rings could not be stopped in order');
    }
    this.#haltRings(how);
  }

  /** @param how whether the back-end has let go of the buffers, or may still be writing into them */
  #haltRings(how: 'let go' | 'gone'): void {
    for (const { vq } of this.#queues.values()) native.virtioQueueStop(this.#id, vq, how === 'gone');
    this.#running = undefined;
    this.#ctx.link({ up: false });
  }

  #rooms(): number[] {
    return [...this.#queues.values()].flatMap(({ room }) => (room === undefined ? [] : [room]));
  }

  #bufferProblem(mtu: number, rooms: readonly number[]): string | undefined {
    const negotiated = this.#link.backend?.negotiated.features;
    const mergeable =
      negotiated === undefined
        ? this.#ctx.args.mrg_rxbuf
        : (negotiated & Feature.VIRTIO_NET_F_MRG_RXBUF) !== 0n;
    return mergeable || rooms.length === 0 ? undefined : bufferProblem(mtu, Math.min(...rooms));
  }

  #checkBuffers(mtu: number, rooms = this.#rooms()): void {
    const problem = this.#bufferProblem(mtu, rooms);
    if (problem !== undefined) throw new PollwireError('MTU_RANGE', `Port ${this.#ctx.portId}: ${problem}.`);
  }

  #isBroken(vq: number): boolean {
    return native.virtioQueueState(this.#id, vq).broken !== '';
  }

  /** Queues in the order of their virtqueue numbers. */
  #used(): PortQueue[] {
    return [...this.#queues.values()].sort((a, b) => a.vq - b.vq);
  }

  #addQueue(queue: PortQueue, wish: number): QueueEnd {
    const { path, queue_size } = this.#ctx.args;
    if (wish !== queue_size) {
      const remedy = `attach with queue_size=${wish} for another number`;
      this.#ctx.log.warn(`${path}: ring ${queue.vq} has ${queue_size} descriptors, not ${wish}; ${remedy}`);
    }
    this.#queues.set(queue.vq, queue);
    native.virtioBind(this.#id, queue.vq, queue.slot, { pool: queue.pool, port: this.#ctx.portId });
    const release = () => {
      this.#queues.delete(queue.vq);
      native.virtioUnbind(this.#id, queue.vq);
    };
    return { kind: 'native', slot: queue.slot, descriptors: queue_size, release };
  }

  #release(): void {
    this.#unsubscribe();
    native.virtioDestroy(this.#id);
  }
}
