/**
 * Configuration of a port and its queues: the checks of configure and queue set-up, and the list of what is set up. One per Port.
 */
import { L, PollwireError } from '@pollwire/native';
import type { Device, PortConfig, QueueEnd } from './driver.js';
import type { Mempool } from './mempool.js';
import type { RxOffload, TxOffload } from './offloads.js';
import {
  rxOffloadMask,
  rxOffloadNames,
  txOffloadMask,
  txOffloadNames,
  VLAN_FILTER,
  vlanOffloadOf,
  withVlanOffload,
} from './offloads.js';
import type { PortInfo } from './port-info.js';
import type { QueueHost } from './queue.js';
import { checkDescriptors, QueueControl, RxQueue, TxQueue } from './queue.js';

export interface PortConfigOptions {
  /** Default 1. */
  rxQueues?: number | undefined;
  /** Default 1. */
  txQueues?: number | undefined;
  /** Default: the port's present MTU (1500 at first). */
  mtu?: number | undefined;
  rxOffloads?: readonly RxOffload[] | number | undefined;
  txOffloads?: readonly TxOffload[] | number | undefined;
  /** Report link changes. Default: when the driver can. */
  lsc?: boolean | undefined;
}

export interface RxQueueOptions {
  /** 0 (default) = the driver's choice. */
  descriptors?: number | undefined;
  /** Where received packets come from. */
  pool: Mempool;
  /** For this queue only, within the port's. Default: the port's. */
  offloads?: readonly RxOffload[] | number | undefined;
}

export interface TxQueueOptions {
  /** 0 (default) = the driver's choice. */
  descriptors?: number | undefined;
  offloads?: readonly TxOffload[] | number | undefined;
}

const MAX_VLAN = 4095;

export class PortQueues {
  config: PortConfig | undefined;
  readonly rx: (RxQueue | undefined)[] = [];
  readonly tx: (TxQueue | undefined)[] = [];

  constructor(
    private readonly port: number,
    private readonly device: Device,
    private readonly info: PortInfo,
    private readonly host: QueueHost,
  ) {}

  /** Checks against limits and capabilities, then tells the driver. Nothing has changed when it throws. */
  configure(options: PortConfigOptions, mtu: number): PortConfig {
    const config: PortConfig = {
      rxQueues: this.queueCount('rx', options.rxQueues ?? 1, this.info.maxRxQueues),
      txQueues: this.queueCount('tx', options.txQueues ?? 1, this.info.maxTxQueues),
      mtu: this.checkMtu(options.mtu ?? mtu),
      rxOffloads: this.offloads('rx', rxOffloadMask(options.rxOffloads), this.info.rxOffloadCapa),
      txOffloads: this.offloads('tx', txOffloadMask(options.txOffloads), this.info.txOffloadCapa),
      lsc: options.lsc ?? this.info.lsc,
    };
    if (config.lsc && !this.info.lsc) {
      throw this.error(
        'PORT_ENOTSUP',
        `the driver ${this.info.driverName} does not report link changes; leave lsc out`,
      );
    }
    this.device.configure?.(config);
    this.release();
    this.rx.length = config.rxQueues;
    this.tx.length = config.txQueues;
    this.config = config;
    return config;
  }

  /** Replaces the VLAN part of the receive offloads of a configured port. `apply` tells the driver. */
  changeVlan(vlan: number, apply: () => void): void {
    const config = this.config as PortConfig;
    const rxOffloads = withVlanOffload(config.rxOffloads, vlan);
    this.offloads('rx', rxOffloads, this.info.rxOffloadCapa);
    apply();
    this.config = { ...config, rxOffloads };
  }

  /** Throws VLAN_FILTER_OFF, VLAN_RANGE. */
  checkVlan(id: number): void {
    if ((vlanOffloadOf(this.config?.rxOffloads ?? 0) & VLAN_FILTER) === 0) {
      throw this.error('VLAN_FILTER_OFF', 'its VLAN filter is off; switch VLAN_FILTER on first');
    }
    if (Number.isInteger(id) && id >= 0 && id <= MAX_VLAN) return;
    throw this.error('VLAN_RANGE', `VLAN ${id} is outside 0 to ${MAX_VLAN}`);
  }

  /** Throws MTU_RANGE. */
  checkMtu(mtu: number): number {
    const { minMtu, maxMtu } = this.info;
    if (Number.isInteger(mtu) && mtu >= minMtu && mtu <= maxMtu) return mtu;
    throw this.error('MTU_RANGE', `MTU ${mtu} is outside ${minMtu} to ${maxMtu}`);
  }

  setupRx(id: number, options: RxQueueOptions): RxQueue {
    const config = this.checkId('rx', id);
    const descriptors = checkDescriptors(this.port, 'rx', options.descriptors ?? 0, this.info.rxDescriptors);
    const pool = options.pool;
    const need = L.MBUF_HEADROOM + this.info.minRxBufSize;
    if (pool.dataRoom < need) {
      throw this.error(
        'POOL_TOO_SMALL',
        `pool ${pool.name} has buffers of ${pool.dataRoom} bytes; the driver needs ${need}`,
      );
    }
    const offloads = this.queueOffloads('rx', options.offloads, config.rxOffloads, rxOffloadMask);
    this.drop(this.rx, id);
    const end = this.device.rxQueue(id, { descriptors, pool, offloads });
    const setup = {
      descriptors: granted(end, descriptors),
      offloads,
      pool,
      interrupt: this.info.rxInterrupt,
    };
    const control = new QueueControl(this.host, end, { port: this.port, id, rx: true }, setup);
    const queue = new RxQueue(control, this.host.env);
    this.rx[id] = queue;
    return queue;
  }

  setupTx(id: number, options: TxQueueOptions): TxQueue {
    const config = this.checkId('tx', id);
    const descriptors = checkDescriptors(this.port, 'tx', options.descriptors ?? 0, this.info.txDescriptors);
    const offloads = this.queueOffloads('tx', options.offloads, config.txOffloads, txOffloadMask);
    this.drop(this.tx, id);
    const end = this.device.txQueue(id, { descriptors, offloads });
    const setup = { descriptors: granted(end, descriptors), offloads, interrupt: false };
    const control = new QueueControl(this.host, end, { port: this.port, id, rx: false }, setup);
    const queue = new TxQueue(control, this.host.env);
    this.tx[id] = queue;
    return queue;
  }

  /** Set-up queues of both directions. */
  all(): (RxQueue | TxQueue)[] {
    return [...this.rx, ...this.tx].filter((queue) => queue !== undefined);
  }

  /** Throws PORT_QUEUES when a configured queue has not been set up. */
  checkComplete(): void {
    for (const [what, queues] of [['rx', this.rx] as const, ['tx', this.tx] as const]) {
      const id = queues.length === 0 ? -1 : [...queues].indexOf(undefined);
      if (id >= 0)
        throw this.error(
          'PORT_QUEUES',
          `${what} queue ${id} is not set up; set up every configured queue before start`,
        );
    }
  }

  get(direction: 'rx', id: number): RxQueue;
  get(direction: 'tx', id: number): TxQueue;
  get(direction: 'rx' | 'tx', id: number): RxQueue | TxQueue {
    const queue = this[direction][id];
    if (queue !== undefined) return queue;
    const count = this[direction].length;
    const why = id >= 0 && id < count ? 'is not set up' : `does not exist; the port has ${count}`;
    throw this.error('QUEUE_UNKNOWN', `${direction} queue ${id} ${why}`);
  }

  /** Releases every queue. */
  release(): void {
    for (let id = 0; id < this.rx.length; id++) this.drop(this.rx, id);
    for (let id = 0; id < this.tx.length; id++) this.drop(this.tx, id);
  }

  private drop(queues: (RxQueue | TxQueue | undefined)[], id: number): void {
    const queue = queues[id];
    if (queue === undefined) return;
    queues[id] = undefined;
    queue.retire();
    queue.control.release();
  }

  private queueCount(what: 'rx' | 'tx', count: number, max: number): number {
    if (Number.isInteger(count) && count >= 1 && count <= max) return count;
    throw this.error(
      'QUEUE_COUNT',
      `${count} ${what} queues; the driver ${this.info.driverName} has 1 to ${max}`,
    );
  }

  private checkId(what: 'rx' | 'tx', id: number): PortConfig {
    const config = this.config as PortConfig;
    const count = what === 'rx' ? config.rxQueues : config.txQueues;
    if (Number.isInteger(id) && id >= 0 && id < count) return config;
    throw this.error(
      'QUEUE_UNKNOWN',
      `${what} queue ${id} does not exist; ${count} configured, numbered from 0`,
    );
  }

  private offloads(what: 'rx' | 'tx', wanted: number, capa: number): number {
    const refused = (wanted & ~capa) >>> 0;
    if (refused === 0) return wanted;
    const names = what === 'rx' ? rxOffloadNames(refused) : txOffloadNames(refused);
    const list = names.length === 0 ? `0x${refused.toString(16)}` : names.join(', ');
    throw this.error(
      'OFFLOAD_UNSUPPORTED',
      `the driver ${this.info.driverName} has no ${what} offload ${list}; leave it out`,
    );
  }

  private queueOffloads<O>(
    what: 'rx' | 'tx',
    own: O | undefined,
    ports: number,
    mask: (offloads: O) => number,
  ): number {
    if (own === undefined) return ports;
    const wanted = mask(own);
    const extra = (wanted & ~ports) >>> 0;
    if (extra === 0) return wanted;
    const names = what === 'rx' ? rxOffloadNames(extra) : txOffloadNames(extra);
    throw this.error(
      'OFFLOAD_UNSUPPORTED',
      `${what} offload ${names.join(', ')} is not enabled for the port; configure it there`,
    );
  }

  private error(code: string, what: string): PollwireError {
    return new PollwireError(code, `Port ${this.port}: ${what}.`, { details: { port: this.port } });
  }
}

/** What a queue has, where the device decides and not the application. */
function granted(end: QueueEnd, wish: number): number {
  return end.kind === 'native' ? (end.descriptors ?? wish) : wish;
}
