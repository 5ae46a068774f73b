/**
 * The vhost library's front door: a socket path that front-ends connect to (or that we connect to), and the device behind it.
 * Usable without any port; the net_vhost driver is a thin layer on it.
 */

import { TypedEmitter } from '@pollwire/ethdev';
import type { PollwireError } from '@pollwire/native';
import type { CloseReason, Ending, FdSocket } from '@pollwire/vhost-user';
import { Acceptor, BackendSession, Connector } from '@pollwire/vhost-user';
import type { DeviceListener } from './device.js';
import { VhostDevice } from './device.js';
import { IMPLEMENTED_FEATURES } from './features.js';
import type { SocketPlan, VhostOptions } from './socket-options.js';
import { planSocket } from './socket-options.js';

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
  /** A sentence for the operator. */
  problem: [text: string];
  error: [error: PollwireError];
};

export class VhostSocket extends TypedEmitter<VhostEvents> {
  readonly path: string;
  /** Queue pairs of a network device; of another, its rings halved, rounded up. */
  readonly queuePairs: number;
  readonly #plan: SocketPlan;
  readonly #options: VhostOptions;
  #features: bigint;
  #endpoint: Acceptor | Connector | undefined;
  #device: VhostDevice | undefined;
  /** Those who wait for the end. */
  readonly #closed: (() => void)[] = [];

  constructor(path: string, options: VhostOptions = {}) {
    super();
    this.path = path;
    this.#plan = planSocket(options);
    this.queuePairs = Math.ceil(this.#plan.rings / 2);
    this.#options = options;
    this.#features = this.#plan.features;
  }

  /** The connected front-end's device, if any. */
  get device(): VhostDevice | undefined {
    return this.#device;
  }

  /** Features offered to the next connection. */
  get features(): bigint {
    return this.#features;
  }

  set features(features: bigint) {
    this.#features = features;
  }

  /** Offers no feature of `mask` to the next connection. */
  disableFeatures(mask: bigint): void {
    this.#features &= ~mask;
  }

  /** Offers the features of `mask` that this version implements. */
  enableFeatures(mask: bigint): void {
    this.#features |= mask & IMPLEMENTED_FEATURES;
  }

  /**
   * Listens, or begins to connect.
   * @throws PollwireError `VHOST_BAD_PATH`, `VHOST_PATH_IN_USE`, `VHOST_LISTEN_FAILED`; without reconnect `VHOST_CONNECT_FAILED`
   */
  start(): this {
    if (this.#endpoint !== undefined) return this;
    const connected = (socket: FdSocket) => this.#connected(socket);
    const failed = (error: unknown) => this.emitSafe('problem', (error as Error).message);
    if (this.#options.client === true) {
      const waiting = (error: PollwireError) => this.emitSafe('problem', error.message);
      const reconnect = this.#options.noReconnect !== true;
      this.#endpoint = new Connector(this.path, { connected, failed, waiting }, { reconnect });
    } else {
      const refused = () =>
        this.emitSafe('problem', `${this.path}: a second front-end was turned away; one is connected`);
      this.#endpoint = new Acceptor(this.path, { connected, failed, refused });
    }
    return this;
  }

  /** Ends the connection, removes the socket file. Resolves when everything is released. */
  async close(): Promise<void> {
    this.#endpoint?.close();
    this.#endpoint = undefined;
    const session = this.#device?.session;
    session?.close();
    await session?.closed;
    for (const resolve of this.#closed.splice(0)) resolve();
  }

  /**
   * The socket's whole life as one awaitable: starts, and ends when `signal` aborts or somebody calls {@link close}.
   * @throws what {@link start} throws; nothing is left behind then
   */
  async run(options: { signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options;
    const close = () => void this.close();
    try {
      if (signal?.aborted === true) return;
      this.start();
      signal?.addEventListener('abort', close, { once: true });
      await new Promise<void>((resolve) => this.#closed.push(resolve));
    } finally {
      signal?.removeEventListener('abort', close);
      await this.close();
    }
  }

  #connected(socket: FdSocket): Ending {
    const { rings, kind, queueNum } = this.#plan;
    const listener: DeviceListener = {
      deviceReady: (d) => this.emitSafe('new_device', d),
      deviceStopped: (d) => this.emitSafe('destroy_device', d),
      vringChanged: (d, ring, ready) => this.emitSafe('vring_state_changed', d, ring, ready),
      featuresChanged: (d, features) => this.emitSafe('features_changed', d, features),
      mtuChanged: (d, mtu) => this.emitSafe('mtu_changed', d, mtu),
      problem: (_d, text) => this.emitSafe('problem', `${this.path}: ${text}`),
      connectionClosed: (d, reason) => {
        if (this.#device === d) this.#device = undefined;
        if (reason.by !== 'peer' && reason.code !== 'VHOST_CLOSED')
          this.emitSafe('problem', `${this.path}: connection closed: ${reason.text}`);
        this.emitSafe('destroy_connection', d, reason);
      },
    };
    const device = new VhostDevice(rings, listener, kind);
    const session = new BackendSession(socket, device, {
      features: this.#features,
      vringCount: rings,
      queueNum,
      device: this.#plan.device,
      protocolFeatures: this.#plan.protocolFeatures,
      extraProtocolFeatures: this.#plan.extraProtocolFeatures,
    });
    device.session = session;
    this.#device = device;
    this.emitSafe('new_connection', device);
    return session.start();
  }
}
