/**
 * A port: one device under an id, with its life cycle, queues, link, addresses, statistics and events. Made by Eal.attach, used by
 * applications in the main isolate; lcores use PortRef.
 */
import type { Arena } from '@pollwire/native';
import { arena, native, PollwireError, SlotClosed } from '@pollwire/native';
import type { Device, Driver } from './driver.js';
import type { ErrorSink } from './events.js';
import { TypedEmitter } from './events.js';
import type { LinkStatus } from './link.js';
import { LINK_DOWN } from './link.js';
import { randomMac, toMac } from './mac.js';
import type { Mempool } from './mempool.js';
import type { PortInfo } from './port-info.js';
import { portInfo } from './port-info.js';
import type { PortConfigOptions, RxQueueOptions, TxQueueOptions } from './port-queues.js';
import { PortQueues } from './port-queues.js';
import type { PortView } from './port-ref.js';
import { PORT_BLOCK, PORT_FLAGS } from './port-ref.js';
import type { PortMove, PortState } from './port-state.js';
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

const DEFAULT_MTU = 1500;

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
  private readonly memory: Arena = arena();
  private currentState: PortState = 'attached';
  private currentLink: LinkStatus;
  private currentMtu = DEFAULT_MTU;
  private promiscuousOn: boolean;
  private allMulticastOn: boolean;
  private readonly macs: Uint8Array[];
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
    this.promiscuousOn = this.info.alwaysPromiscuous;
    this.allMulticastOn = this.info.alwaysPromiscuous;
    this.macs = [init.device.mac === undefined ? randomMac() : toMac(init.device.mac)];
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
    return this.currentMtu;
  }

  get promiscuous(): boolean {
    return this.promiscuousOn;
  }

  get allMulticast(): boolean {
    return this.allMulticastOn;
  }

  /** Default MAC address, six bytes, a copy. */
  get mac(): Uint8Array {
    return Uint8Array.from(this.macs[0] as Uint8Array);
  }

  /** All addresses, the default one first. */
  get allMacs(): Uint8Array[] {
    return this.macs.map((mac) => Uint8Array.from(mac));
  }

  // Life.

  /** Sets queue numbers, MTU and offloads; queues must be set up again afterwards. Throws QUEUE_COUNT, MTU_RANGE, OFFLOAD_UNSUPPORTED. */
  configure(options: PortConfigOptions = {}): void {
    const to = nextState(this, 'configure');
    const config = this.queues.configure(options, this.currentMtu);
    this.currentMtu = config.mtu;
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
    this.restore();
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
    await this.method('reset').call(this.device);
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

  // Features. All throw PORT_ENOTSUP (errno -95) when the driver has no such method.

  setMtu(mtu: number): void {
    this.call('setMtu', 'setMtu', this.queues.checkMtu(mtu));
    this.currentMtu = mtu;
    this.publish();
  }

  setPromiscuous(on: boolean): void {
    if (!this.info.alwaysPromiscuous) this.call('setPromiscuous', 'setPromiscuous', on);
    else if (!on) throw this.unsupported('setPromiscuous');
    this.promiscuousOn = on;
  }

  setAllMulticast(on: boolean): void {
    if (!this.info.alwaysPromiscuous) this.call('setAllMulticast', 'setAllMulticast', on);
    else if (!on) throw this.unsupported('setAllMulticast');
    this.allMulticastOn = on;
  }

  /** New default address. */
  setMac(mac: ArrayLike<number> | string): void {
    const bytes = unicast(mac);
    this.call('setMac', 'setMac', bytes);
    this.macs[0] = bytes;
    this.publish();
  }

  addMac(mac: ArrayLike<number> | string): void {
    const bytes = unicast(mac);
    if (this.macs.length >= this.info.maxMacs) {
      throw new PollwireError(
        'MAC_LIMIT',
        `Port ${this.id} holds ${this.info.maxMacs} MAC addresses; remove one first.`,
        {
          errno: -28,
        },
      );
    }
    this.call('addMac', 'addMac', bytes);
    this.macs.push(bytes);
  }

  removeMac(mac: ArrayLike<number> | string): void {
    const bytes = toMac(mac);
    const at = this.macs.findIndex((one, index) => index > 0 && one.every((byte, i) => byte === bytes[i]));
    this.call('removeMac', 'removeMac', bytes);
    if (at > 0) this.macs.splice(at, 1);
  }

  vlanFilter(id: number, on: boolean): void {
    nextState(this, 'vlanFilter');
    this.method('vlanFilter').call(this.device, id, on);
  }

  setVlanOffload(mask: number): void {
    this.call('setVlanOffload', 'setVlanOffload', mask);
  }

  setLink(up: boolean): void {
    this.call('setLink', 'setLink', up);
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

  /** Settings that survive a restart of the device. */
  private restore(): void {
    if (this.device.setMac !== undefined) this.device.setMac(this.mac);
    if (this.info.alwaysPromiscuous) return;
    if (this.promiscuousOn) this.device.setPromiscuous?.(true);
    if (this.allMulticastOn) this.device.setAllMulticast?.(true);
  }

  private async closeQueues(): Promise<void> {
    await Promise.all(this.queues.all().map((queue) => queue.control.close(SlotClosed.PORT_STOPPED)));
  }

  private moved(to: PortState, event: 'started' | 'stopped'): void {
    this.currentState = to;
    this.publish();
    this.announce(event);
  }

  private call<
    M extends
      | 'setMtu'
      | 'setPromiscuous'
      | 'setAllMulticast'
      | 'setMac'
      | 'addMac'
      | 'removeMac'
      | 'setVlanOffload'
      | 'setLink',
  >(move: PortMove, method: M, value: Parameters<NonNullable<Device[M]>>[0]): void {
    nextState(this, move);
    (this.method(method) as (this: Device, value: unknown) => void).call(this.device, value);
  }

  private method<M extends keyof Device>(method: M): NonNullable<Device[M]> {
    const found = this.device[method];
    if (found === undefined) throw this.unsupported(method);
    return found as NonNullable<Device[M]>;
  }

  private unsupported(method: string): PollwireError {
    return new PollwireError('PORT_ENOTSUP', 'Operation not supported', {
      details: { port: this.id, driver: this.driverName, method },
    });
  }

  /** Writes what lcores may read. */
  private publish(): void {
    const { memory, block } = this;
    memory.bytes(block + PORT_BLOCK.MAC, 6).set(this.macs[0] as Uint8Array);
    memory.store(block + PORT_BLOCK.MTU, this.currentMtu);
    memory.store(block + PORT_BLOCK.SPEED, this.currentLink.speed | 0);
    const up = this.currentLink.up ? PORT_FLAGS.LINK_UP : 0;
    memory.store(block, up | (this.currentState === 'started' ? PORT_FLAGS.STARTED : 0));
  }
}

function unicast(mac: ArrayLike<number> | string): Uint8Array {
  const bytes = toMac(mac);
  if (((bytes[0] as number) & 1) === 0 && bytes.some((byte) => byte !== 0)) return bytes;
  throw new PollwireError('BAD_MAC', 'A port needs a unicast address that is not all zero.');
}
