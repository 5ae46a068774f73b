/**
 * A vhost device: one front-end connection turned into native rings. Handles the vhost-user messages of its session, starts rings
 * when they are complete, decides when the device as a whole is ready, and tells its owner in past tense.
 * Made by VhostSocket for every connection; knows nothing of ports.
 */
import type { MempoolRef } from '@pollwire/ethdev';
import type { NativeEvent, VhostBindOptions } from '@pollwire/native';
import { native, onDeviceEvent, PollwireError } from '@pollwire/native';
import type {
  BackendChannel,
  BackendHandler,
  BackendSession,
  CloseReason,
  FeatureChange,
  InflightArea,
  IotlbMessage,
  LogArea,
  MemoryRegion,
  OutgoingFd,
  ReceivedFd,
  ReceivedRegion,
  Refusal,
  VringAddr,
} from '@pollwire/vhost-user';
import { DeviceStatus, Feature, ProtocolFeature } from '@pollwire/vhost-user';
import { attempt } from './attempt.js';
import type { DeviceKind } from './device-kind.js';
import { configHandlers, NET_DEVICE } from './device-kind.js';
import type { DirtyLog } from './dirty-log.js';
import { Iotlb } from './iotlb.js';
import { logsUsed, RARP_RING, rarpFrame, switchLogging } from './migration.js';
import { Postcopy } from './postcopy.js';
import { RequestServer } from './request-server.js';
import { Vring } from './vring.js';
import { VringReceiver, VringTransmitter } from './vring-burst.js';
import { VringControl } from './vring-control.js';
import { whyNotReady } from './why-not-ready.js';

/** What a device tells its owner. Every call comes after the state has changed. */
export interface DeviceListener {
  /** Rings 0 and 1 are ready and the driver is up: packets flow. */
  deviceReady?(device: VhostDevice): void;
  /** The opposite. No lcore is inside a ring of the device any more. */
  deviceStopped?(device: VhostDevice): void;
  vringChanged?(device: VhostDevice, ring: number, ready: boolean): void;
  featuresChanged?(device: VhostDevice, features: bigint): void;
  mtuChanged?(device: VhostDevice, mtu: number): void;
  /** Something an operator should read: a ring that broke, an address that does not translate. */
  problem?(device: VhostDevice, text: string): void;
  /** The connection is gone; rings still are as the front-end left them. */
  connectionEnding?(device: VhostDevice): void;
  connectionClosed?(device: VhostDevice, reason: CloseReason): void;
}

export class VhostDevice implements BackendHandler {
  /** Native id, unique in the process while the connection lives. */
  readonly id: number;
  readonly rings: readonly Vring[];
  /** Virtio features in force. */
  features = 0n;
  /** MTU that the front-end announced, or 0. */
  mtu = 0;
  ready = false;
  /** Undefined while nobody logs what is written. */
  dirtyLog: DirtyLog | undefined;
  declare readonly getConfig?: Required<BackendHandler>['getConfig'];
  declare readonly setConfig?: Required<BackendHandler>['setConfig'];
  declare readonly extern?: Required<BackendHandler>['extern'];
  /** Rings, from 0 on, that must be ready before the device is. */
  readonly readyRings: number;
  readonly netStats: boolean;
  readonly #kind: DeviceKind;
  readonly #requests: RequestServer | undefined;
  #status = 0;
  #statusUsed = false;
  #hasMemory = false;
  #session: BackendSession | undefined;
  readonly #ends: { close(): void }[] = [];
  readonly #postcopy: Postcopy;
  readonly #listener: DeviceListener;
  readonly #unsubscribe: () => void;
  readonly #translations: Iotlb;

  constructor(vringCount: number, listener: DeviceListener, kind: DeviceKind = NET_DEVICE) {
    this.id = native.vhostCreate(vringCount);
    this.#postcopy = new Postcopy(this.id);
    this.#translations = new Iotlb(this.id);
    this.rings = Array.from({ length: vringCount }, (_, index) => new Vring(index));
    this.#listener = listener;
    this.#kind = kind;
    this.readyRings = kind.readyRings;
    this.netStats = kind.netStats ?? true;
    if (kind.config !== undefined) Object.assign(this, configHandlers(kind.config));
    if (kind.extern !== undefined) this.extern = kind.extern;
    if (kind.request !== undefined) {
      const problem = (text: string) => listener.problem?.(this, text);
      for (const ring of this.rings) ring.serves = true;
      this.#requests = new RequestServer(this.id, vringCount, kind.request, problem);
    }
    this.#unsubscribe = onDeviceEvent('vhost', this.id, (event) => this.#nativeEvent(event));
  }

  /** The session that feeds this device; set once, right after both exist. */
  set session(session: BackendSession) {
    this.#session = session;
  }

  get session(): BackendSession | undefined {
    return this.#session;
  }

  /** Device status byte of the driver, 0 when not negotiated. */
  get status(): number {
    return this.#status;
  }

  /** Lets bursts on `slot` work on ring `ring`. 'rx' takes what the guest sends (odd rings), 'tx' fills its buffers (even ones). */
  bind(ring: number, slot: number, direction: 'rx' | 'tx', options: VhostBindOptions): void {
    native.vhostBind(this.id, ring, slot, direction, options);
    Object.assign(this.#ring(ring), { slot, direction });
  }

  /** Bursts of what the guest sends on queue `pair`, copied into mbufs of `pool`. */
  receiver(pair: number, pool: MempoolRef): VringReceiver {
    return this.#own(new VringReceiver(this, pair, pool, this.#kind.receive));
  }

  /** Bursts to the guest on queue `pair`. */
  transmitter(pair: number): VringTransmitter {
    return this.#own(new VringTransmitter(this, pair));
  }

  /** No burst reaches the ring afterwards. */
  unbind(ring: number): void {
    native.vhostUnbind(this.id, ring);
    this.#ring(ring).slot = -1;
  }

  /** One vring: its place, indices, notifications, statistics. */
  vring(index: number): VringControl {
    return new VringControl(this, this.#ring(index));
  }

  /** Says that this program wrote `length` bytes of guest memory by itself; nothing happens while nobody logs. */
  logWrite(guestAddr: bigint, length: number): void {
    this.dirtyLog?.write(guestAddr, length);
  }

  /** Protocol features in force. */
  get protocolFeatures(): bigint {
    return this.#session?.protocolFeatures ?? 0n;
  }

  /** Memory regions that the front-end shares. */
  get regions(): readonly MemoryRegion[] {
    return this.#session?.regions ?? [];
  }

  /** Why no packets flow, as the first missing condition in words; undefined when they do. */
  whyNotReady(): string | undefined {
    return whyNotReady(this);
  }

  // Messages (see BackendHandler for what each promises).

  setFeatures(change: FeatureChange): void {
    this.features = change.features;
    switchLogging(this.id, change);
    if (change.layoutChanged) for (const ring of this.rings) ring.forget();
    if (change.previous !== change.features) this.#listener.featuresChanged?.(this, change.features);
  }

  setProtocolFeatures(features: bigint): void {
    this.#statusUsed = (features & ProtocolFeature.STATUS) !== 0n;
  }

  setStatus(status: number): void {
    this.#status = status;
  }

  resetOwner(): void {
    this.#stopAll();
  }

  resetDevice(): void {
    this.#stopAll();
    native.vhostDropInflight(this.id);
    this.#status = 0;
  }

  setMemoryTable(regions: readonly ReceivedRegion[]): Refusal | void {
    return attempt(() => {
      const rows = regions.map(({ guestAddr, size, userAddr, mmapOffset, fd }) => {
        return { guestAddr, size, userAddr, mmapOffset, fd: fd.take() };
      });
      this.#memoryChanged(native.vhostSetMemory(this.id, rows));
    });
  }

  addMemoryRegion(region: ReceivedRegion): Refusal | void {
    const { guestAddr, size, userAddr, mmapOffset } = region;
    return attempt(() => {
      const fd = region.fd.take();
      this.#memoryChanged(native.vhostAddRegion(this.id, { guestAddr, size, userAddr, mmapOffset, fd }));
    });
  }

  removeMemoryRegion(region: MemoryRegion): Refusal | void {
    return attempt(() => {
      this.#memoryChanged(native.vhostRemoveRegion(this.id, region.guestAddr, region.userAddr, region.size));
    });
  }

  getInflightFd(wish: InflightArea): { area: InflightArea; fd: OutgoingFd } | Refusal {
    return attempt(() => {
      const { fd, size } = native.vhostCreateInflight(wish.numQueues, wish.queueSize, this.#packed);
      return { area: { ...wish, mmapSize: size, mmapOffset: 0n }, fd: { fd, close: true } };
    });
  }

  setInflightFd(area: InflightArea, fd: ReceivedFd): Refusal | void {
    const { mmapSize: size, mmapOffset: offset, numQueues: rings, queueSize: ringSize } = area;
    return attempt(() => {
      native.vhostSetInflight(this.id, {
        fd: fd.take(),
        size,
        offset,
        rings,
        ringSize,
        packed: this.#packed,
      });
    });
  }

  setVringNum(index: number, size: number): void {
    this.#ring(index).size = size;
  }

  setVringAddr(index: number, addr: VringAddr): void {
    const ring = this.#ring(index);
    ring.addr = addr;
    ring.problem = undefined;
    if (ring.started) native.vhostRingLog(this.id, index, logsUsed(addr), addr.log);
  }

  setLogBase(log: LogArea, fd: ReceivedFd): Refusal | void {
    return attempt(() => native.vhostSetLog(this.id, log.size, log.offset, fd.take()));
  }

  postcopyAdvise(): OutgoingFd | Refusal {
    return this.#postcopy.advise();
  }

  postcopyListen(): Refusal | void {
    return this.#postcopy.listen();
  }

  postcopyAddress(region: MemoryRegion): bigint | Refusal {
    return this.#postcopy.address(region);
  }

  postcopyReady(): Refusal | void {
    return this.#postcopy.ready();
  }

  postcopyEnd(): void {
    this.#postcopy.end();
  }

  sendRarp(mac: Uint8Array): Refusal | void {
    return attempt(() => native.vhostInject(this.id, RARP_RING, rarpFrame(mac)));
  }

  setVringBase(index: number, base: number): void {
    this.#ring(index).base = base;
  }

  getVringBase(index: number): number | Promise<number> {
    const ring = this.#ring(index);
    const stop = () => {
      ring.kicked = false;
      this.#stopRing(ring);
      this.#update();
      return ring.base;
    };
    const drained = this.#requests?.drain(index);
    return drained === undefined ? stop() : drained.then(stop);
  }

  setVringKick(index: number, fd: ReceivedFd | undefined): Refusal | void {
    const ring = this.#ring(index);
    return attempt(() => {
      this.#requests?.kickChanging(index);
      native.vhostRingKick(this.id, index, fd?.take() ?? -1);
      this.#requests?.kickChanged(index);
      ring.kicked = true;
    });
  }

  setVringCall(index: number, fd: ReceivedFd | undefined): Refusal | void {
    const ring = this.#ring(index);
    return attempt(() => {
      native.vhostRingCall(this.id, index, fd?.take() ?? -1);
      ring.callSet = true;
    });
  }

  setVringEnable(index: number, enabled: boolean): void {
    this.#ring(index).enabled = enabled;
  }

  setBackendChannel(channel: BackendChannel | undefined): void {
    this.#translations.channel = channel;
  }

  iotlb(message: IotlbMessage): Refusal | void {
    return this.#translations.apply(message);
  }

  setMtu(mtu: number): void {
    this.mtu = mtu;
    this.#listener.mtuChanged?.(this, mtu);
  }

  messageRefused(text: string): void {
    this.#listener.problem?.(this, text);
  }

  messageHandled(): void {
    this.#update();
    // Rings that start, or whose memory is new, may need translations.
    this.#translations.ask();
  }

  connectionClosed(reason: CloseReason): void {
    // First: an lcore may wait for a page that nobody brings any more, and stopping waits for the lcore.
    this.#postcopy.end();
    this.#listener.connectionEnding?.(this);
    this.#translations.close();
    this.#stopAll();
    this.#requests?.close();
    for (const end of this.#ends) end.close();
    this.#unsubscribe();
    native.vhostDestroy(this.id);
    this.#listener.connectionClosed?.(this, reason);
  }

  // What follows from the messages.

  get #packed(): boolean {
    return (this.features & Feature.VIRTIO_F_RING_PACKED) !== 0n;
  }

  #own<E extends { close(): void }>(end: E): E {
    this.#ends.push(end);
    return end;
  }

  #ring(index: number): Vring {
    const ring = this.rings[index];
    if (ring === undefined) throw new PollwireError('VHOST_BAD_VRING_INDEX', `There is no vring ${index}.`);
    return ring;
  }

  #memoryChanged(stopped: readonly number[]): void {
    this.#hasMemory = true;
    for (const index of stopped) {
      const ring = this.#ring(index);
      ring.started = false;
      this.#requests?.ringStopped(index);
      ring.base = native.vhostRingState(this.id, index).lastAvail;
      this.#complain(ring, 'its addresses left the guest memory');
    }
  }

  #complain(ring: Vring, text: string): void {
    if (ring.problem === text) return;
    ring.problem = text;
    this.#listener.problem?.(this, `ring ${ring.index}: ${text}`);
  }

  #nativeEvent(event: NativeEvent): void {
    if (event.type === 'iotlb_miss') {
      this.#translations.ask();
      return;
    }
    const ring = this.rings[event.ring];
    if (ring === undefined || !ring.started) return;
    // Events come a turn later: the ring may have been set up anew since.
    if (native.vhostRingState(this.id, event.ring).broken === '') return;
    this.#complain(ring, `broken by the driver (${event.reason}); it works again after it is set up anew`);
    this.#update();
  }

  #startRing(ring: Vring): void {
    const { size, base, addr } = ring;
    if (addr === undefined) return;
    const { desc, avail, used } = addr;
    const log = { logUsed: logsUsed(addr), usedLogAddr: addr.log };
    const { features } = this;
    try {
      native.vhostRingStart(this.id, ring.index, { size, desc, avail, used, base, features, ...log });
      ring.started = true;
      ring.problem = undefined;
    } catch (error) {
      this.#complain(ring, (error as Error).message);
    }
  }

  #stopRing(ring: Vring): void {
    if (ring.started) {
      ring.base = native.vhostRingStop(this.id, ring.index);
      ring.started = false;
      this.#requests?.ringStopped(ring.index);
    }
    ring.problem = undefined;
  }

  #stopAll(): void {
    for (const ring of this.rings) {
      ring.kicked = false;
      ring.enabled = false;
      this.#stopRing(ring);
    }
    this.#update();
  }

  /** Recomputes what is ready and reports each difference: rings first, in order, with the device where its condition is met. */
  #update(): void {
    for (const ring of this.rings) {
      if (
        !ring.started &&
        ring.complete &&
        this.#hasMemory &&
        !this.#postcopy.waiting &&
        ring.problem === undefined
      )
        this.#startRing(ring);
    }
    const driverUp = !this.#statusUsed || (this.#status & DeviceStatus.DRIVER_OK) !== 0;
    const isReady = (ring: Vring | undefined) => ring !== undefined && ring.missing === undefined;
    const ready = driverUp && this.rings.slice(0, this.readyRings).every(isReady);
    const becameReady = ready && !this.ready;
    const stopped = !ready && this.ready;
    this.ready = ready;
    const changed = this.rings.filter((ring) => ring.ready !== isReady(ring));
    for (const ring of changed) ring.ready = isReady(ring);
    // The data path opens before anybody hears of it, and closes before anybody hears of that.
    for (const ring of becameReady || stopped ? this.rings : changed) {
      native.vhostRingEnable(this.id, ring.index, ready && ring.ready);
      this.#requests?.ringChanged(ring.index, ready && ring.ready);
    }
    for (const ring of changed) this.#listener.vringChanged?.(this, ring.index, ring.ready);
    if (becameReady) this.#listener.deviceReady?.(this);
    if (stopped) this.#listener.deviceStopped?.(this);
  }
}
