/**
 * The vhost library's front door: a socket path that front-ends connect to (or that we connect to), and the device behind it.
 * Usable without any port; the net_vhost driver is a thin layer on it.
 */

import { TypedEmitter } from '@pollwire/ethdev';
import type { PollwireError } from '@pollwire/native';
import type { BackendHandler, CloseReason, Ending, FdSocket } from '@pollwire/vhost-user';
import {
  Acceptor,
  BackendSession,
  Connector,
  derivedProtocolFeatures,
  featureNames,
  protocolFeatureNames,
  RingFeature,
} from '@pollwire/vhost-user';
import type { DeviceListener } from './device.js';
import { VhostDevice } from './device.js';
import { configHandlers } from './device-kind.js';
import { FeatureOffer } from './feature-offer.js';
import { IMPLEMENTED_FEATURES, remedyFor } from './features.js';
import { GuestNotified } from './guest-notified.js';
import { registerPath } from './registered-paths.js';
import type { VhostDescription } from './socket-history.js';
import { SocketHistory } from './socket-history.js';
import type { SocketPlan, VhostOptions } from './socket-options.js';
import { planSocket } from './socket-options.js';
import { privateMemory } from './why-not-ready.js';

/** Events of a {@link VhostSocket}. Each comes after the state has changed. */
export type VhostEvents = {
  new_connection: [device: VhostDevice];
  /** The device is ready: put it on a data core. */
  new_device: [device: VhostDevice];
  /** The device stopped; no burst is inside it any more. */
  destroy_device: [device: VhostDevice];
  destroy_connection: [device: VhostDevice, reason: CloseReason];
  vring_state_changed: [device: VhostDevice, ring: number, ready: boolean];
  features_changed: [device: VhostDevice, features: bigint];
  mtu_changed: [device: VhostDevice, mtu: number];
  /** A ring's driver had to be signalled `count` times since the last such event; at most every 100 ms. */
  guest_notified: [device: VhostDevice, ring: number, count: number];
  /** A sentence for the operator. */
  problem: [text: string];
  error: [error: PollwireError];
};

/** How long after a device became ready its memory is looked at for being private, milliseconds. */
const MEMORY_LOOK = 1000;
/** As many as the native region table takes. */
const MAX_MEMORY_SLOTS = 509;

/** By path: what the last front-end that went away had negotiated. A port that is attached again finds it here. */
const lastFeatures = new Map<string, bigint>();

export class VhostSocket extends TypedEmitter<VhostEvents> {
  readonly path: string;
  /** Queue pairs of a network device; of another, its rings halved, rounded up. */
  readonly queuePairs: number;
  readonly #plan: SocketPlan;
  readonly #options: VhostOptions;
  readonly #features: FeatureOffer;
  readonly #protocolFeatures: FeatureOffer;
  readonly #history: SocketHistory;
  readonly #notified: GuestNotified;
  readonly #unregister: () => void;
  #endpoint: Acceptor | Connector | undefined;
  #device: VhostDevice | undefined;
  /** The device was announced by new_device. */
  #announced = false;
  #memoryLook: NodeJS.Timeout | undefined;
  #start: NodeJS.Immediate | undefined;
  /** Those who wait for the end. */
  readonly #closed: (() => void)[] = [];

  /**
   * Registers the path; nothing is opened before {@link start}. {@link close} gives it up.
   * @throws PollwireError `VHOST_PATH_REGISTERED`, `VHOST_QUEUE_PAIRS`, `VHOST_RINGS`, `VHOST_OPTIONS`, `VHOST_UNSUPPORTED_FEATURE`
   */
  constructor(path: string, options: VhostOptions = {}) {
    super();
    this.path = path;
    const plan = planSocket(options);
    this.#plan = plan;
    this.queuePairs = Math.ceil(plan.rings / 2);
    this.#options = options;
    const names = (word: bigint) =>
      plan.device === 'net' ? featureNames(word) : featureNames(word, RingFeature);
    this.#features = new FeatureOffer('feature', plan.features, plan.possibleFeatures, names);
    const handler = Object.create(VhostDevice.prototype) as BackendHandler;
    if (plan.kind.config !== undefined) Object.assign(handler, configHandlers(plan.kind.config));
    const possible =
      (derivedProtocolFeatures(handler) & ~plan.withoutProtocolFeatures) | plan.extraProtocolFeatures;
    const word = options.protocolFeatures ?? possible;
    this.#protocolFeatures = new FeatureOffer('protocol feature', word, possible, protocolFeatureNames);
    this.#history = new SocketHistory(path, options.client === true, plan.device === 'net');
    this.#notified = new GuestNotified(
      () => this.listenerCount('guest_notified') > 0,
      (device, ring, count) => this.emitSafe('guest_notified', device, ring, count),
    );
    this.#unregister = registerPath(path);
  }

  /** The connected front-end's device, if any. */
  get device(): VhostDevice | undefined {
    return this.#device;
  }

  /** Features offered to the next connection. Setting others than can be offered throws `VHOST_UNSUPPORTED_FEATURE`. */
  get features(): bigint {
    return this.#features.word;
  }

  set features(features: bigint) {
    this.#features.word = features;
  }

  /** Offers no feature of `mask` to the next connection. */
  disableFeatures(mask: bigint): void {
    this.#features.disable(mask);
  }

  /** Offers the features of `mask` as well. @throws PollwireError `VHOST_UNSUPPORTED_FEATURE` naming those that cannot be */
  enableFeatures(mask: bigint): void {
    this.#features.enable(mask);
  }

  /** Protocol features offered to the next connection. Setting others than can be offered throws `VHOST_UNSUPPORTED_FEATURE`. */
  get protocolFeatures(): bigint {
    return this.#protocolFeatures.word;
  }

  set protocolFeatures(features: bigint) {
    this.#protocolFeatures.word = features;
  }

  disableProtocolFeatures(mask: bigint): void {
    this.#protocolFeatures.disable(mask);
  }

  enableProtocolFeatures(mask: bigint): void {
    this.#protocolFeatures.enable(mask);
  }

  /**
   * Listens, or begins to connect.
   * @throws PollwireError `VHOST_BAD_PATH`, `VHOST_PATH_IN_USE`, `VHOST_LISTEN_FAILED`; without reconnect `VHOST_CONNECT_FAILED`
   */
  start(): this {
    if (this.#endpoint !== undefined || this.#start !== undefined) return this;
    if (this.#options.asyncConnect !== true) {
      this.#open();
      return this;
    }
    this.#history.enter('idle');
    this.#start = setImmediate(() => {
      this.#start = undefined;
      try {
        this.#open();
      } catch (error) {
        this.emitSafe('error', error as PollwireError);
        void this.close();
      }
    });
    return this;
  }

  /** Ends the connection, removes the socket file, gives the path up. Resolves when everything is released. */
  async close(): Promise<void> {
    clearImmediate(this.#start);
    this.#start = undefined;
    this.#endpoint?.close();
    this.#endpoint = undefined;
    this.#unregister();
    this.#history.enter('closed');
    const session = this.#device?.session;
    session?.close();
    await session?.closed;
    for (const resolve of this.#closed.splice(0)) resolve();
  }

  /**
   * The socket's whole life as one awaitable: starts, and ends when `signal` aborts, when somebody calls {@link close}, and for a client
   * without reconnection when its connection ends.
   * @throws what {@link start} throws; nothing is left behind then
   */
  async run(options: { signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options;
    const close = () => void this.close();
    try {
      if (signal?.aborted === true) return;
      this.start();
      signal?.addEventListener('abort', close, { once: true });
      if (this.#options.noReconnect === true) this.once('destroy_connection', close);
      await new Promise<void>((resolve) => this.#closed.push(resolve));
    } finally {
      signal?.removeEventListener('abort', close);
      await this.close();
    }
  }

  /** Why the link is down, and everything else that is known, as data that JSON can hold. `descriptionLines` makes lines of it. */
  describe(): VhostDescription {
    return this.#history.describe(this.#device);
  }

  #open(): void {
    const connected = (socket: FdSocket) => this.#connected(socket);
    const failed = (error: unknown) => this.emitSafe('problem', (error as Error).message);
    this.#history.enter('idle');
    if (this.#options.client === true) {
      const waiting = (error: PollwireError) => {
        this.#history.waiting(error.message);
        this.emitSafe('problem', error.message);
      };
      const reconnect = this.#options.noReconnect !== true;
      this.#endpoint = new Connector(this.path, { connected, failed, waiting }, { reconnect });
    } else {
      const refused = () =>
        this.emitSafe('problem', `${this.path}: a second front-end was turned away; one is connected`);
      this.#endpoint = new Acceptor(this.path, { connected, failed, refused });
    }
  }

  #connected(socket: FdSocket): Ending {
    const { rings, kind, queueNum } = this.#plan;
    const device = new VhostDevice(rings, this.#listener(), kind);
    const session = new BackendSession(socket, device, {
      features: this.#features.word,
      remedyFor,
      vringCount: rings,
      queueNum,
      device: this.#plan.device,
      protocolFeatures: this.#protocolFeatures.word,
      extraProtocolFeatures: this.#protocolFeatures.word & this.#plan.extraProtocolFeatures,
      maxMemorySlots: MAX_MEMORY_SLOTS,
    });
    device.session = session;
    this.#device = device;
    this.#announced = false;
    this.#history.connected();
    this.emitSafe('new_connection', device);
    return session.start();
  }

  #listener(): DeviceListener {
    return {
      deviceReady: (device) => this.#ready(device),
      deviceStopped: (device) => this.#stopped(device),
      vringChanged: (device, ring, ready) => this.emitSafe('vring_state_changed', device, ring, ready),
      featuresChanged: (device, features) => this.emitSafe('features_changed', device, features),
      mtuChanged: (device, mtu) => this.emitSafe('mtu_changed', device, mtu),
      problem: (_device, text) => this.emitSafe('problem', `${this.path}: ${text}`),
      connectionEnding: (device) => this.#history.ending(device),
      connectionClosed: (device, reason) => {
        this.#history.ended(device, reason);
        if (this.#device === device) this.#device = undefined;
        if (reason.by !== 'peer' && reason.code !== 'VHOST_CLOSED')
          this.emitSafe('problem', `${this.path}: connection closed: ${reason.text}`);
        this.#rememberFeatures(device.session, reason);
        this.emitSafe('destroy_connection', device, reason);
      },
    };
  }

  #ready(device: VhostDevice): void {
    const refusal = refusalOf(this.#options.newDevice, device);
    if (refusal !== undefined) {
      const text = `new_device was refused: ${refusal}`;
      this.emitSafe('problem', `${this.path}: ${text}; the connection is closed`);
      device.session?.close(text);
      return;
    }
    this.#announced = true;
    this.#history.ready();
    this.#notified.start(device);
    this.#memoryLook = setTimeout(() => {
      const text = device.ready ? privateMemory(device) : undefined;
      if (text !== undefined) this.emitSafe('problem', `${this.path}: ${text}`);
    }, MEMORY_LOOK).unref();
    this.emitSafe('new_device', device);
  }

  #stopped(device: VhostDevice): void {
    clearTimeout(this.#memoryLook);
    if (!this.#announced) return;
    this.#announced = false;
    this.#notified.look(device);
    this.#notified.stop();
    this.emitSafe('destroy_device', device);
  }

  /**
   * QEMU as the server keeps what its guest negotiated. When a back-end that connects again offers less, QEMU leaves without a word,
   * and comes again, for ever.
   */
  #rememberFeatures(session: BackendSession | undefined, reason: CloseReason): void {
    if (session === undefined || !session.featuresRead) return;
    if (session.featuresSet) {
      lastFeatures.set(this.path, session.features);
      return;
    }
    const before = lastFeatures.get(this.path);
    const missing = (before ?? IMPLEMENTED_FEATURES) & ~session.offeredFeatures;
    if (missing === 0n || reason.by !== 'peer') return;
    const names = featureNames(missing).join(', ');
    const what = before === undefined ? 'Not offered' : 'Negotiated before and not offered now';
    const remedy = remedyFor(missing) ?? 'offer the same features as before the restart';
    const text = `the front-end left when it had read our features. ${what}: ${names}; ${remedy}`;
    this.emitSafe('problem', `${this.path}: ${text}`);
  }
}

/** Why a device is not wanted; undefined when it is. */
function refusalOf(newDevice: VhostOptions['newDevice'], device: VhostDevice): string | undefined {
  try {
    return newDevice?.(device) === false ? 'the handler returned false' : undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
