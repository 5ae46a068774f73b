/**
 * A port: one device under an id, with its life cycle, queues, link, addresses, statistics and events. Made by Eal.attach, used by
 * applications in the main isolate; lcores use PortRef.
 */
import type { PollwireError } from '@pollwire/native';
import { native, SlotClosed } from '@pollwire/native';
import type { Device, Diagnosis, Driver } from './driver.js';
import type { ErrorSink } from './events.js';
import { TypedEmitter } from './events.js';
import type { LinkStatus } from './link.js';
import { LINK_DOWN } from './link.js';
import type { Mempool } from './mempool.js';
import { vlanOffloadOf } from './offloads.js';
import { PORT_BLOCK, publishPort } from './port-block.js';
import type { PortInfo } from './port-info.js';
import { portInfo } from './port-info.js';
import type { PortConfigOptions, RxQueueOptions, TxQueueOptions } from './port-queues.js';
import { PortQueues } from './port-queues.js';
import type { PortView } from './port-ref.js';
import { PortSettings } from './port-settings.js';
import type { PortState } from './port-state.js';
import { nextState } from './port-state.js';
import type { QueueHost, RxQueue, TxQueue } from './queue.js';
import type { QueueEvent } from './queue-events.js';
import { QueueEvents } from './queue-events.js';
import type { PortStats, QueueStats, Xstat } from './stats.js';
import { basicXstats, portStats } from './stats.js';

/** All are emitted after the state has changed, so that a listener reads the new one. */
export type PortEvents = {
  /** The link went up or down: `port.link`. */
  intr_lsc: [port: Port];
  /** Queues were enabled or disabled by the peer: drain `port.getQueueEvent()`. */
  queue_state: [port: Port];
  /** The device asks for a reset. */
  intr_reset: [port: Port];
  /** The device is gone; stop, close and detach the port. */
  intr_rmv: [port: Port];
  started: [port: Port];
  stopped: [port: Port];
  /** The port was closed; its id may be reused. */
  destroy: [port: Port];
  error: [error: PollwireError, port: Port];
};

/** What Port needs from Eal. */
export interface PortHost extends QueueHost {
  /** Pool for start() without set-up. */
  defaultPool(): Mempool;
  /** Called for every event, behind the port's own listeners. */
  portEvent(event: 'new' | Exclude<keyof PortEvents, 'error'>, port: Port): void;
  /** Takes an error without a listener. */
  readonly errorSink: ErrorSink;
  /** Removes the port from the list; called once, when it is closed. */
  portClosed(port: Port): void;
}

export interface PortInit {
  id: number;
  name: string;
  /** Exact devargs string. */
  devargs: string;
  driver: Driver;
  device: Device;
}

export class Port extends TypedEmitter<PortEvents> {
  readonly id: number;
  /** Device name, 'net_vhost0'. */
  readonly name: string;
  readonly driver: Driver;
  /** Exactly as given. */
  readonly devargs: string;
  readonly info: PortInfo;
  private readonly device: Device;
  private readonly host: PortHost;
  private readonly queues: PortQueues;
  private readonly events: QueueEvents;
  private readonly block: number;
  private currentState: PortState = 'attached';
  private currentLink: LinkStatus;
  private readonly settings: PortSettings;
  private eventQueued = false;

  /** @internal use Eal.attach */
  constructor(init: PortInit, host: PortHost) {
    super((error) => host.errorSink(error));
    this.id = init.id;
    this.name = init.name;
    this.devargs = init.devargs;
    this.driver = init.driver;
    this.device = init.device;
    this.host = host;
    this.info = portInfo(init.driver, init.device);
    this.queues = new PortQueues(init.id, init.device, this.info, host);
    this.events = new QueueEvents(Math.max(this.info.maxRxQueues, this.info.maxTxQueues));
    this.block = native.arenaAlloc(PORT_BLOCK.BYTES, 64, `port ${init.id}`);
    this.currentLink = { ...LINK_DOWN, ...init.device.link };
    this.settings = new PortSettings(init.id, init.device, this.info);
    this.publish();
  }

  get driverName(): string {
    return this.driver.name;
  }

  get state(): PortState {
    return this.currentState;
  }

  /** A copy of the present link status. */
  get link(): LinkStatus {
    return { ...this.currentLink };
  }

  get mtu(): number {
    return this.settings.mtu;
  }

  get promiscuous(): boolean {
    return this.settings.promiscuous;
  }

  get allMulticast(): boolean {
    return this.settings.allMulticast;
  }

  /** Default MAC address, six bytes, a copy. */
  get mac(): Uint8Array {
    return Uint8Array.from(this.settings.macs[0] as Uint8Array);
  }

  /** All addresses, the default one first. */
  get allMacs(): Uint8Array[] {
    return this.settings.macs.map((mac) => Uint8Array.from(mac));
  }

  /** Group addresses that are received while all-multicast and promiscuous mode are off, copies. */
  get multicastMacs(): Uint8Array[] {
    return this.settings.multicastMacs.map((mac) => Uint8Array.from(mac));
  }

  // Life.

  /** Sets queue numbers, MTU and offloads; queues must be set up again afterwards. Throws QUEUE_COUNT, MTU_RANGE, OFFLOAD_UNSUPPORTED. */
  configure(options: PortConfigOptions = {}): void {
    const to = nextState(this, 'configure');
    const config = this.queues.configure(options, this.mtu);
    this.settings.mtu = config.mtu;
    this.currentState = to;
    this.publish();
  }

  /** Configuration in force; undefined before the first configure. */
  get config() {
    return this.queues.config;
  }

  setupRxQueue(id: number, options: RxQueueOptions): RxQueue {
    nextState(this, 'setupRxQueue');
    return this.queues.setupRx(id, options);
  }

  setupTxQueue(id: number, options: TxQueueOptions = {}): TxQueue {
    nextState(this, 'setupTxQueue');
    return this.queues.setupTx(id, options);
  }

  /**
   * Starts the device and opens its queues. Never configured: configures one queue pair; queues that are not set up get defaults and
   * `pool` (default: eal.defaultPool()), unless the application has set up some itself. Throws PORT_QUEUES then.
   */
  async start(pool?: Mempool): Promise<void> {
    if (this.currentState === 'attached') this.configure();
    const to = nextState(this, 'start');
    if (this.queues.all().length === 0) this.setupAll(pool ?? this.host.defaultPool());
    this.queues.checkComplete();
    const modules = this.queues.all().map((queue) => queue.view.module);
    await this.host.env.scripts.load(modules.filter((module) => module !== undefined));
    await this.device.start();
    this.settings.restore();
    for (const queue of this.queues.all()) queue.control.open(SlotClosed.PORT_STOPPED);
    this.moved(to, 'started');
  }

  /** Closes the queues (bursts return 0, nobody is inside when this resolves), then stops the device. */
  async stop(): Promise<void> {
    const to = nextState(this, 'stop');
    this.currentState = to;
    await this.closeQueues();
    await this.device.stop();
    this.moved(to, 'stopped');
  }

  /** Releases queues and device; emits destroy; the id is free again. The port must not be started. */
  async close(): Promise<void> {
    this.currentState = nextState(this, 'close');
    this.queues.release();
    try {
      await this.device.close();
    } finally {
      this.host.retireBlock(this.block);
      this.host.portClosed(this);
      this.announce('destroy');
    }
  }

  /** Back to 'attached' with a fresh device. PORT_ENOTSUP without driver support. */
  async reset(): Promise<void> {
    const to = nextState(this, 'reset');
    await this.settings.method('reset').call(this.device);
    this.queues.release();
    this.currentState = to;
    this.publish();
  }

  // Queues.

  rxQueue(id: number): RxQueue {
    nextState(this, 'rxQueue');
    return this.queues.get('rx', id);
  }

  txQueue(id: number): TxQueue {
    nextState(this, 'txQueue');
    return this.queues.get('tx', id);
  }

  /** This port as data for another isolate; only queues that are set up. */
  view(): PortView {
    const { id, name, driverName, block } = this;
    const views = (queues: readonly (RxQueue | TxQueue | undefined)[]) =>
      queues.flatMap((q) => (q === undefined ? [] : [q.view]));
    return { id, name, driverName, block, rx: views(this.queues.rx), tx: views(this.queues.tx) };
  }

  /** One change of a queue's state that has not been looked at, undefined when there is none: call it until then. */
  getQueueEvent(): QueueEvent | undefined {
    return this.events.next();
  }

  /** Whether the peer has this queue enabled, as last reported by the driver. */
  queueEnabled(id: number, rx: boolean): boolean {
    return this.events.enabled(id, rx);
  }

  // Settings. All throw PORT_ENOTSUP (errno -95) when the driver has no such method.

  /** Largest layer 3 packet. Throws MTU_RANGE. */
  setMtu(mtu: number): void {
    nextState(this, 'setMtu');
    this.settings.setMtu(this.queues.checkMtu(mtu));
    this.publish();
  }

  setPromiscuous(on: boolean): void {
    nextState(this, 'setPromiscuous');
    this.settings.setPromiscuous(on);
  }

  setAllMulticast(on: boolean): void {
    nextState(this, 'setAllMulticast');
    this.settings.setAllMulticast(on);
  }

  /** New default address. Throws BAD_MAC, MAC_EXISTS when it is a further address of the port. */
  setMac(mac: ArrayLike<number> | string): void {
    nextState(this, 'setMac');
    this.settings.setMac(mac);
    this.publish();
  }

  /** A further address; no error when the port has it. Throws BAD_MAC, MAC_LIMIT. */
  addMac(mac: ArrayLike<number> | string): void {
    nextState(this, 'addMac');
    this.settings.addMac(mac);
  }

  /** Gives a further address up; no error when the port does not have it. Throws MAC_IN_USE for the default one. */
  removeMac(mac: ArrayLike<number> | string): void {
    nextState(this, 'removeMac');
    this.settings.removeMac(mac);
  }

  /** Replaces the group addresses that are received. Throws BAD_MAC, MAC_LIMIT. */
  setMulticastList(macs: readonly (ArrayLike<number> | string)[]): void {
    nextState(this, 'setMulticastList');
    this.settings.setMulticastList(macs);
  }

  /** Lets VLAN `id` (0 to 4095) through or not, while VLAN_FILTER is on. Throws VLAN_FILTER_OFF (errno -38), VLAN_RANGE. */
  vlanFilter(id: number, on: boolean): void {
    nextState(this, 'vlanFilter');
    const set = this.settings.method('vlanFilter');
    this.queues.checkVlan(id);
    set.call(this.device, id, on);
  }

  /** VLAN part of the receive offloads in force: VLAN_STRIP, VLAN_FILTER, VLAN_EXTEND, QINQ_STRIP. 0 before configure. */
  get vlanOffload(): number {
    return vlanOffloadOf(this.queues.config?.rxOffloads ?? 0);
  }

  /**
   * Replaces it, at once and until the next configure.
   * @param mask bits VLAN_STRIP, VLAN_FILTER, VLAN_EXTEND, QINQ_STRIP; throws PORT_ENOTSUP, OFFLOAD_UNSUPPORTED
   */
  setVlanOffload(mask: number): void {
    nextState(this, 'setVlanOffload');
    const set = this.settings.method('setVlanOffload');
    this.queues.changeVlan(mask, () => set.call(this.device, mask));
  }

  /** Sets the link administratively up or down. */
  setLink(up: boolean): void {
    nextState(this, 'setLink');
    this.settings.method('setLink').call(this.device, up);
  }

  // Statistics.

  queueStats(): { rx: QueueStats[]; tx: QueueStats[] } {
    const none: QueueStats = { packets: 0n, bytes: 0n, errors: 0n, nombuf: 0n };
    const read = (queues: readonly (RxQueue | TxQueue | undefined)[], rx: boolean) =>
      Array.from(queues, (queue) => queue?.control.counters.stats(rx) ?? none);
    return { rx: read(this.queues.rx, true), tx: read(this.queues.tx, false) };
  }

  stats(): PortStats {
    const { rx, tx } = this.queueStats();
    return portStats(rx, tx);
  }

  resetStats(): void {
    for (const queue of this.queues.all()) queue.control.counters.reset();
  }

  /** Basic eight, per queue, then the driver's own. */
  xstats(): Xstat[] {
    const { rx, tx } = this.queueStats();
    const own = [...(this.device.xstats?.() ?? [])].map(([name, value]): Xstat => [name, BigInt(value)]);
    return [...basicXstats(portStats(rx, tx), rx, tx), ...own];
  }

  resetXstats(): void {
    this.resetStats();
    this.device.resetXstats?.();
  }

  /** Lines of the driver's own: `Device private info`. */
  privateInfo(): Readonly<Record<string, string>> {
    return this.device.info?.() ?? {};
  }

  /** Why the link is down, and what else the driver knows of its peer. Throws PORT_ENOTSUP when it tells nothing. */
  diagnose(): Diagnosis {
    return this.settings.method('diagnose').call(this.device);
  }

  // What the driver reports (through its ProbeContext).

  /** @internal */
  reportLink(status: Partial<LinkStatus>): void {
    const before = this.currentLink.up;
    this.currentLink = { ...this.currentLink, ...status };
    this.publish();
    if (this.currentLink.up !== before && (this.queues.config?.lsc ?? this.info.lsc))
      this.announce('intr_lsc');
  }

  /** @internal */
  reportQueueState(queueId: number, rx: boolean, enable: boolean): void {
    if (!this.events.set(queueId, rx, enable) || this.eventQueued) return;
    this.eventQueued = true;
    setImmediate(() => {
      this.eventQueued = false;
      if (this.currentState !== 'closed' && this.events.pending()) this.announce('queue_state');
    });
  }

  /** @internal */
  announce(event: Exclude<keyof PortEvents, 'error'>): void {
    this.emitSafe(event, this);
    this.host.portEvent(event, this);
  }

  /** @internal */
  reportError(error: PollwireError): void {
    this.emitSafe('error', error, this);
  }

  /** @internal For process exit: closes queues and stops the device as far as that works without waiting. */
  abandon(): void {
    if (this.currentState === 'closed') return;
    if (this.currentState === 'started') {
      void this.closeQueues();
      this.device.stop();
    }
    this.currentState = 'closed';
    this.device.close();
  }

  private setupAll(pool: Mempool): void {
    for (let id = 0; id < this.queues.rx.length; id++) this.queues.setupRx(id, { pool });
    for (let id = 0; id < this.queues.tx.length; id++) this.queues.setupTx(id, {});
  }

  private async closeQueues(): Promise<void> {
    await Promise.all(this.queues.all().map((queue) => queue.control.close(SlotClosed.PORT_STOPPED)));
  }

  private moved(to: PortState, event: 'started' | 'stopped'): void {
    this.currentState = to;
    this.publish();
    this.announce(event);
  }

  /** Writes what lcores may read. */
  private publish(): void {
    publishPort(this.block, this.mac, this.mtu, this.currentLink, this.currentState === 'started');
  }
}
