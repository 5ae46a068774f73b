/**
 * The vhost library's front door: a socket path that front-ends connect to (or that we connect to), and the device behind it.
 * Usable without any port; the net_vhost driver is a thin layer on it.
 */

import { TypedEmitter } from '@pollwire/ethdev';
import { PollwireError } from '@pollwire/native';
import type { CloseReason, Ending, FdSocket } from '@pollwire/vhost-user';
import { Acceptor, BackendSession, Connector, ProtocolFeature } from '@pollwire/vhost-user';
import { VhostDevice } from './device.js';
import { IMPLEMENTED_FEATURES, offeredFeatures } from './features.js';

/** How a vhost socket is registered. */
export interface VhostOptions {
  /** Queue pairs, 1 to 128; each has two vrings. Default 1. */
  readonly queuePairs?: number;
  /** Connect to the path instead of listening on it, again and again. Default false. */
  readonly client?: boolean;
  /** Client only: give up at the first failure. Default false. */
  readonly noReconnect?: boolean;
  /** Virtio features offered. Default: offeredFeatures(), that is all but the segmentation of what the driver sends. */
  readonly features?: bigint;
  /** Of the possible protocol features, offer these. Default all but those that an option below switches on. */
  readonly protocolFeatures?: bigint;
  /** A guest may arrive before its memory does (postcopy migration). Default false. */
  readonly postcopy?: boolean;
}

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
  readonly queuePairs: number;
  readonly #options: VhostOptions;
  #features: bigint;
  #endpoint: Acceptor | Connector | undefined;
  #device: VhostDevice | undefined;

  constructor(path: string, options: VhostOptions = {}) {
    super();
    this.path = path;
    this.queuePairs = options.queuePairs ?? 1;
    if (!(Number.isInteger(this.queuePairs) && this.queuePairs >= 1 && this.queuePairs <= 128)) {
      throw new PollwireError(
        'VHOST_QUEUE_PAIRS',
        `${this.queuePairs} queue pairs: give a whole number from 1 to 128.`,
      );
    }
    this.#options = options;
    this.#features = options.features ?? offeredFeatures();
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
  }

  #connected(socket: FdSocket): Ending {
    const device = new VhostDevice(this.queuePairs * 2, {
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
    });
    const { protocolFeatures = ~0n, postcopy = false } = this.#options;
    const session = new BackendSession(socket, device, {
      features: this.#features,
      vringCount: this.queuePairs * 2,
      queueNum: this.queuePairs,
      protocolFeatures: postcopy ? protocolFeatures : protocolFeatures & ~ProtocolFeature.PAGEFAULT,
    });
    device.session = session;
    this.#device = device;
    this.emitSafe('new_connection', device);
    return session.start();
  }
}
