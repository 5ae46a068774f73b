/**
 * A front-end's connection: what is negotiated, which requests ask for an ack, and sending any request of the table.
 * FrontendClient puts typed methods on top of it.
 */
import { PollwireError } from '@pollwire/native';
import type { CloseReason } from './close-reason.js';
import type { ReplyForm } from './codec.js';
import type { FdSocket } from './fd-socket.js';
import { Feature } from './features.js';
import type { FrontendRequestName, PayloadOf } from './messages.js';
import { FRONTEND_REQUESTS, featureMask } from './messages.js';
import type { OutgoingFd } from './output-queue.js';
import type { PayloadKind } from './payloads.js';
import { ProtocolFeature } from './protocol-features.js';
import type { Answered, RequesterOptions } from './requester.js';
import { ACK_FORM, Requester } from './requester.js';
import { Trace } from './trace.js';

export interface FrontendOptions extends RequesterOptions {
  /**
   * Which messages without a reply of their own ask for an ack, once REPLY_ACK is negotiated: all of them, those that
   * DPDK's front-end asks for (SET_MEM_TABLE, SET_STATUS), or none. Default `all`.
   */
  readonly acks?: 'all' | 'dpdk' | 'none';
  readonly trace?: Trace;
}

const DPDK_ACKS: ReadonlySet<string> = new Set(['SET_MEM_TABLE', 'SET_STATUS']);

export class FrontendLink {
  /** What went over the connection. */
  readonly trace: Trace;
  /** Settles when the connection is closed. Never rejects. */
  readonly closed: Promise<CloseReason>;
  readonly #requester: Requester;
  readonly #acks: 'all' | 'dpdk' | 'none';
  #features = 0n;
  #protocolFeatures = 0n;

  /** Takes over the socket. */
  constructor(socket: FdSocket, options: FrontendOptions = {}) {
    this.trace = options.trace ?? new Trace();
    this.#acks = options.acks ?? 'all';
    this.#requester = new Requester(socket, 'frontend', this.trace, options);
    this.closed = this.#requester.closed;
  }

  get open(): boolean {
    return this.#requester.open;
  }

  get closeReason(): CloseReason | undefined {
    return this.#requester.closeReason;
  }

  /** Features as last acked by SET_FEATURES. */
  get features(): bigint {
    return this.#features;
  }

  /** Protocol features as last acked by SET_PROTOCOL_FEATURES. */
  get protocolFeatures(): bigint {
    return this.#protocolFeatures;
  }

  /** Handle replies that are there now, without waiting for readiness. */
  poll(): number {
    return this.#requester.poll();
  }

  close(text = 'closed by this side'): void {
    this.#requester.close(text);
  }

  /**
   * Send a request without a reply of its own. With REPLY_ACK (see `acks`) waits for the ack, else resolves once sent.
   * @throws PollwireError `VHOST_NOT_NEGOTIATED`, `VHOST_NACK`, or the code of the reason the connection ended for
   */
  async tell<N extends FrontendRequestName>(
    name: N,
    payload: PayloadOf<N>,
    fds: readonly OutgoingFd[] = [],
  ): Promise<void> {
    const row = FRONTEND_REQUESTS[name];
    this.#checkNegotiated(name, fds);
    if (this.#wantsAck(name)) {
      const answer = await this.#requester.request(row, payload, ACK_FORM, { fds, needReply: true });
      checkAck(name, answer.payload);
    } else if (!this.#requester.send(row, payload, fds)) {
      const reason = this.closeReason;
      const why = reason?.text ?? 'the connection is closed';
      throw new PollwireError(reason?.code ?? 'VHOST_CLOSED', `${name}: ${why}`);
    }
    this.#note(name, payload);
  }

  /** Send a request that has a reply of its own and wait for it. */
  async ask<N extends FrontendRequestName, K extends PayloadKind>(
    name: N,
    payload: PayloadOf<N>,
    form: ReplyForm<K>,
    fds: readonly OutgoingFd[] = [],
  ): Promise<Answered<K>> {
    this.#checkNegotiated(name, fds);
    return this.#requester.request(FRONTEND_REQUESTS[name], payload, form, { fds });
  }

  /** A reply that makes no sense ends the connection: what comes after it cannot be trusted either. */
  badReply(text: string): PollwireError {
    this.close(text);
    return new PollwireError('VHOST_BAD_REPLY', text);
  }

  #wantsAck(name: FrontendRequestName): boolean {
    const negotiated = (this.#protocolFeatures & ProtocolFeature.REPLY_ACK) !== 0n;
    return negotiated && (this.#acks === 'all' || (this.#acks === 'dpdk' && DPDK_ACKS.has(name)));
  }

  #checkNegotiated(name: FrontendRequestName, fds: readonly OutgoingFd[]): void {
    const row = FRONTEND_REQUESTS[name];
    const missingProtocol = (featureMask(row) & ~this.#protocolFeatures) !== 0n;
    const missingPlatform =
      name === 'IOTLB_MSG' && (this.#features & Feature.VIRTIO_F_ACCESS_PLATFORM) === 0n;
    if (missingProtocol || missingPlatform) {
      this.#requester.discard(fds);
      const what = missingProtocol ? `protocol feature ${row.feature}` : 'VIRTIO_F_ACCESS_PLATFORM';
      throw new PollwireError('VHOST_NOT_NEGOTIATED', `${name} needs ${what}, which is not negotiated`);
    }
  }

  /** What was agreed by the message decides about later ones. */
  #note(name: FrontendRequestName, payload: unknown): void {
    if (name === 'SET_FEATURES') {
      this.#features = payload as bigint;
    } else if (name === 'SET_PROTOCOL_FEATURES') {
      this.#protocolFeatures = payload as bigint;
    }
  }
}

/** Throws `VHOST_NACK` unless the answer is 0. */
export function checkAck(name: FrontendRequestName, answer: bigint): void {
  if (answer !== 0n) {
    const text = `the back-end refused ${name} (${answer})`;
    throw new PollwireError('VHOST_NACK', text, { details: { message: name } });
  }
}
