/**
 * The device's way to ask the front-end (SET_BACKEND_REQ_FD): IOTLB misses, configuration changes, host notifiers,
 * in-band notifications. Losing it is never fatal for the session; every method then answers "no".
 */
import { PollwireError } from '@pollwire/native';
import type { CloseReason } from './close-reason.js';
import type { FdSocket } from './fd-socket.js';
import type { BackendRequestName, PayloadOf } from './messages.js';
import { BACKEND_REQUESTS, featureMask } from './messages.js';
import type { OutgoingFd } from './output-queue.js';
import { IotlbType } from './payloads.js';
import { ProtocolFeature } from './protocol-features.js';
import type { RequesterOptions } from './requester.js';
import { ACK_FORM, Requester } from './requester.js';
import type { Trace } from './trace.js';

export interface ChannelOptions extends RequesterOptions {
  /** Bytes waiting for a front-end that does not read above which IOTLB misses are dropped. Default 4096. */
  readonly dropAbove?: number;
}

export class BackendChannel {
  /** Settles when the channel is closed. Never rejects. */
  readonly closed: Promise<CloseReason>;
  readonly #requester: Requester;
  readonly #protocolFeatures: bigint;
  readonly #dropAbove: number;

  constructor(socket: FdSocket, protocolFeatures: bigint, trace: Trace, options: ChannelOptions = {}) {
    this.#protocolFeatures = protocolFeatures;
    this.#dropAbove = options.dropAbove ?? 4096;
    this.#requester = new Requester(socket, 'backend', trace, options);
    this.closed = this.#requester.closed;
  }

  get open(): boolean {
    return this.#requester.open;
  }

  get closeReason(): CloseReason | undefined {
    return this.#requester.closeReason;
  }

  close(text = 'closed by this side'): void {
    this.#requester.close(text);
  }

  /**
   * Ask for a translation. The answer is an IOTLB update on the main socket, or nothing.
   * @param perm wanted access, {@link IotlbPerm}
   * @returns false when the channel is closed or congested; ask again later
   */
  iotlbMiss(iova: bigint, perm: number): boolean {
    return this.#tryTell({ iova, size: 0n, userAddr: 0n, perm, type: IotlbType.MISS });
  }

  /** Report an access that a translation does not permit. */
  iotlbAccessFail(iova: bigint, perm: number): boolean {
    return this.#tryTell({ iova, size: 0n, userAddr: 0n, perm, type: IotlbType.ACCESS_FAIL });
  }

  /** The configuration space changed (CONFIG). Resolves when the front-end has heard, or at once without REPLY_ACK. */
  configChanged(): Promise<void> {
    return this.request('BACKEND_CONFIG_CHANGE_MSG', undefined);
  }

  /**
   * Map a notify area of a ring into the guest (HOST_NOTIFIER); undefined takes it away.
   * @param area page-aligned offset and size in the file behind `fd`
   */
  hostNotifier(
    index: number,
    area: { readonly fd: OutgoingFd; readonly size: bigint; readonly offset: bigint } | undefined,
  ): Promise<void> {
    if (area === undefined) {
      return this.request('BACKEND_VRING_HOST_NOTIFIER_MSG', { index, noFd: true, size: 0n, offset: 0n });
    }
    const { fd, size, offset } = area;
    return this.request('BACKEND_VRING_HOST_NOTIFIER_MSG', { index, noFd: false, size, offset }, [fd]);
  }

  /** Notify the driver of used buffers in band (INBAND_NOTIFICATIONS). */
  vringCall(index: number): Promise<void> {
    return this.request('BACKEND_VRING_CALL', { index, num: 0 });
  }

  /** Tell the driver that a ring is broken, in band (INBAND_NOTIFICATIONS). */
  vringErr(index: number): Promise<void> {
    return this.request('BACKEND_VRING_ERR', { index, num: 0 });
  }

  /**
   * Send any request of the table. With REPLY_ACK an ack is asked for and awaited.
   * @throws PollwireError `VHOST_NOT_NEGOTIATED`, `VHOST_NACK`, or the reason the channel closed for
   */
  async request<N extends BackendRequestName>(
    name: N,
    payload: PayloadOf<N>,
    fds: readonly OutgoingFd[] = [],
  ): Promise<void> {
    const row = BACKEND_REQUESTS[name];
    if ((featureMask(row) & ~this.#protocolFeatures) !== 0n) {
      this.#requester.discard(fds);
      const text = `${name} needs protocol feature ${row.feature}, which is not negotiated`;
      throw new PollwireError('VHOST_NOT_NEGOTIATED', text);
    }
    if ((this.#protocolFeatures & ProtocolFeature.REPLY_ACK) === 0n) {
      if (!this.#requester.send(row, payload, fds)) {
        throw new PollwireError('VHOST_CLOSED', `${name}: the back-end channel is closed`);
      }
      return;
    }
    const answer = await this.#requester.request(row, payload, ACK_FORM, { fds, needReply: true });
    if (answer.payload !== 0n) {
      throw new PollwireError('VHOST_NACK', `the front-end refused ${name} (${answer.payload})`);
    }
  }

  #tryTell(message: PayloadOf<'BACKEND_IOTLB_MSG'>): boolean {
    if (!this.open || this.#requester.pendingOutput > this.#dropAbove) {
      return false;
    }
    return this.#requester.send(BACKEND_REQUESTS.BACKEND_IOTLB_MSG, message);
  }
}
