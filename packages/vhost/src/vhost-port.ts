/**
 * The device behind a net_vhost port: maps port queues to vrings (rx queue q is vring 2q+1, tx queue q is vring 2q) and library
 * events to ethdev events. Made by net-vhost.ts for every attach.
 */
import type {
  Device,
  Diagnosis,
  LinkStatus,
  Mempool,
  ProbeContext,
  QueueEnd,
  RxQueueSetup,
} from '@pollwire/ethdev';
import { RX_OFFLOADS, VLAN_STRIP } from '@pollwire/ethdev';
import { native } from '@pollwire/native';
import { featureNames } from '@pollwire/vhost-user';
import type { VhostDevice } from './device.js';
import { offeredFeatures } from './features.js';
import { createLargeBuffers, releaseLargeBuffers } from './large-buffers.js';
import { VhostSocket } from './socket.js';
import { descriptionLines } from './socket-history.js';
import { vringStats } from './vring-stats.js';

export interface VhostPortArgs {
  readonly iface: string;
  readonly queues: number;
  readonly client: boolean;
  readonly tso: boolean;
  readonly 'linear-buffer': boolean;
  readonly 'ext-buffer': boolean;
  readonly 'legacy-ol-flags': boolean;
  readonly 'postcopy-support': boolean;
  readonly 'iommu-support': boolean;
}

/** What front-ends that come and go may write into the log. */
const PEER_LINES = { milliseconds: 10_000, lines: 8 };
const NO_POOL = 0xffff_ffff;

/** A queue that was set up; its slot is bound to the vring of whichever device is connected. */
interface PortQueue {
  readonly slot: number;
  readonly direction: 'rx' | 'tx';
  readonly queue: number;
  readonly pool: number;
  /** rx: take VLAN tags out. */
  stripVlan: boolean;
}

const vringOf = ({ direction, queue }: PortQueue): number => queue * 2 + (direction === 'rx' ? 1 : 0);

export class VhostPort implements Device {
  /** As DPDK has it: 56:48:4F:53:54 ("VHOST") and the port number. */
  readonly mac: Uint8Array;
  readonly link: Partial<LinkStatus> = { up: false, speed: 10_000, duplex: 'full', autoneg: false };
  readonly limits: { readonly rxQueues: number; readonly txQueues: number };
  readonly #ctx: ProbeContext<VhostPortArgs>;
  readonly #socket: VhostSocket;
  readonly #queues = new Map<number, PortQueue>();
  /** ext-buffer=1: where packets longer than one mbuf get their buffers from. */
  readonly #large: Mempool | undefined;

  constructor(ctx: ProbeContext<VhostPortArgs>) {
    const { iface, queues, client, tso, 'linear-buffer': linear, 'ext-buffer': external } = ctx.args;
    const iommu = ctx.args['iommu-support'];
    this.#ctx = ctx;
    this.limits = { rxQueues: queues, txQueues: queues };
    this.mac = Uint8Array.of(0x56, 0x48, 0x4f, 0x53, 0x54, ctx.portId);
    this.#socket = new VhostSocket(iface, {
      queuePairs: queues,
      client,
      features: offeredFeatures({ tso, linear, external, iommu }),
      postcopy: ctx.args['postcopy-support'],
    });
    this.#large = external ? createLargeBuffers(ctx.eal, ctx.name, queues) : undefined;
    this.#listen();
    try {
      this.#socket.start();
    } catch (error) {
      void this.#socket.close();
      if (this.#large !== undefined) releaseLargeBuffers(ctx.eal, this.#large);
      throw error;
    }
  }

  rxQueue(queue: number, setup: RxQueueSetup): QueueEnd {
    const stripVlan = (setup.offloads & (1 << RX_OFFLOADS.VLAN_STRIP)) !== 0;
    return this.#addQueue({
      slot: this.#ctx.slot(),
      direction: 'rx',
      queue,
      pool: setup.pool.index,
      stripVlan,
    });
  }

  txQueue(queue: number): QueueEnd {
    return this.#addQueue({
      slot: this.#ctx.slot(),
      direction: 'tx',
      queue,
      pool: NO_POOL,
      stripVlan: false,
    });
  }

  // The core opens and closes the slots; rings run whenever the front-end has them ready.
  start(): void {}
  stop(): void {}

  /** At once, also while packets flow: a vring is bound anew with the other burst function. */
  setVlanOffload(mask: number): void {
    const stripVlan = (mask & VLAN_STRIP) !== 0;
    const { device } = this.#socket;
    for (const queue of this.#queues.values()) {
      if (queue.direction !== 'rx' || queue.stripVlan === stripVlan) continue;
      queue.stripVlan = stripVlan;
      device?.unbind(vringOf(queue));
      if (device !== undefined) this.#bind(device, queue);
    }
  }

  async close(): Promise<void> {
    await this.#socket.close();
    if (this.#large !== undefined) releaseLargeBuffers(this.#ctx.eal, this.#large);
  }

  *xstats(): Generator<[string, bigint]> {
    for (const { direction, queue, slot } of this.#queues.values()) yield* vringStats(direction, queue, slot);
  }

  resetXstats(): void {
    for (const { slot } of this.#queues.values()) native.slotResetCounters(slot);
  }

  info(): Record<string, string> {
    const device = this.#socket.device;
    const features = device?.features ?? 0n;
    return {
      iface_name: this.#socket.path,
      role: this.#ctx.args.client ? 'client' : 'server',
      features: `0x${features.toString(16)} (${featureNames(features).join(', ')})`,
      max_queues: String(this.limits.rxQueues),
      connected: device === undefined ? '0' : '1',
      started: device?.ready === true ? '1' : '0',
      not_ready_because: device === undefined ? 'no front-end is connected' : (device.whyNotReady() ?? ''),
    };
  }

  diagnose(): Diagnosis {
    const data = this.#socket.describe();
    return { lines: descriptionLines(data), data };
  }

  #addQueue(queue: PortQueue): QueueEnd {
    const ring = vringOf(queue);
    this.#queues.set(ring, queue);
    if (this.#socket.device !== undefined) this.#bind(this.#socket.device, queue);
    const release = () => {
      this.#queues.delete(ring);
      this.#socket.device?.unbind(ring);
    };
    return { kind: 'native', slot: queue.slot, release };
  }

  #bind(device: VhostDevice, queue: PortQueue): void {
    const { pool, slot, direction, stripVlan } = queue;
    const { 'linear-buffer': linear, 'legacy-ol-flags': legacyFlags } = this.#ctx.args;
    const options = { pool, port: this.#ctx.portId, linear, legacyFlags, stripVlan };
    const large = this.#large === undefined ? {} : { buffers: this.#large.index };
    device.bind(vringOf(queue), slot, direction, { ...options, ...large });
  }

  #listen(): void {
    const { log } = this.#ctx;
    this.#socket
      .on('new_connection', (device) => {
        for (const queue of this.#queues.values()) this.#bind(device, queue);
        log.info(`${this.#socket.path}: a front-end connected`);
      })
      .on('new_device', () => this.#ctx.link({ up: true }))
      .on('destroy_device', () => this.#ctx.link({ up: false }))
      .on('vring_state_changed', (_device, ring, ready) => {
        this.#ctx.queueState(ring >> 1, (ring & 1) === 1, ready);
      })
      .on('destroy_connection', (_device, reason) => log.info(`${this.#socket.path}: ${reason.text}`))
      .on('problem', (text) => log.limited('warning', 'problem', text, PEER_LINES))
      .on('error', (error) => this.#ctx.error(error));
  }
}
