/** A front-end's end of a real socket, driven by hand: sends any bytes with any descriptors, and reads what comes back. */
import { native, sys } from '@pollwire/native';
import type { PayloadOf, RequestName } from '@pollwire/vhost-user';
import {
  encodeMessage,
  encodeRequest,
  Feature,
  FLAG_NEED_REPLY,
  FRONTEND_REQUESTS,
  HEADER_SIZE,
  ProtocolFeature,
  VERSION,
} from '@pollwire/vhost-user';
import { until } from '../bench.js';

export type FrontName = Extract<RequestName, keyof typeof FRONTEND_REQUESTS>;

export interface SendOptions {
  readonly needReply?: boolean;
  readonly fds?: readonly number[];
}

/** A reply as it came. */
export interface Answer {
  readonly request: number;
  readonly payload: Uint8Array;
  /** The payload as a number, when it has 8 bytes. */
  readonly u64: bigint | undefined;
}

export class RawFrontend {
  readonly #fd: number;
  readonly #answers: Answer[] = [];
  #open = true;
  #gone = false;

  constructor(path: string) {
    this.#fd = sys.connectUnix(path);
  }

  /** Whether the other side has hung up. */
  get gone(): boolean {
    this.#read();
    return this.#gone;
  }

  /** Answers that have come and were not taken. */
  get answered(): number {
    this.#read();
    return this.#answers.length;
  }

  /** Bytes as they are; false when the other side is gone or does not read. */
  bytes(bytes: Uint8Array, fds: readonly number[] = []): boolean {
    try {
      return sys.send(this.#fd, bytes, fds) === bytes.length;
    } catch {
      this.#gone = true;
      return false;
    }
  }

  send<N extends FrontName>(name: N, payload: PayloadOf<N>, options: SendOptions = {}): boolean {
    const { needReply = false, fds = [] } = options;
    return this.bytes(encodeRequest(FRONTEND_REQUESTS[name], payload as never, needReply), fds);
  }

  /** Any request number with any payload. */
  raw(
    request: number,
    payload: Uint8Array,
    options: SendOptions & { readonly flags?: number } = {},
  ): boolean {
    const flags = options.flags ?? VERSION | (options.needReply === true ? FLAG_NEED_REPLY : 0);
    return this.bytes(encodeMessage(request, flags, payload), options.fds);
  }

  /** The next answer; undefined when the other side hung up instead. */
  async answer(): Promise<Answer | undefined> {
    const there = () => {
      this.#read();
      return this.#answers.length > 0 || this.#gone;
    };
    await until('an answer', there);
    return this.#answers.shift();
  }

  /** Sends with need-reply: 0n for done, another number for refused, undefined when the connection was closed. */
  async ask<N extends FrontName>(
    name: N,
    payload: PayloadOf<N>,
    fds: readonly number[] = [],
  ): Promise<bigint | undefined> {
    this.send(name, payload, { needReply: true, fds });
    return (await this.answer())?.u64;
  }

  async getFeatures(): Promise<bigint> {
    this.send('GET_FEATURES', undefined);
    return (await this.answer())?.u64 ?? 0n;
  }

  /** The first messages of every front-end; REPLY_ACK and STATUS are in force afterwards. */
  async negotiate(features: bigint = Feature.VIRTIO_F_VERSION_1, protocol?: bigint): Promise<void> {
    this.send('SET_OWNER', undefined);
    await this.getFeatures();
    this.send('GET_PROTOCOL_FEATURES', undefined);
    const offered = (await this.answer())?.u64 ?? 0n;
    this.send(
      'SET_PROTOCOL_FEATURES',
      offered & (protocol ?? ProtocolFeature.REPLY_ACK | ProtocolFeature.MQ),
    );
    const done = await this.ask('SET_FEATURES', features | Feature.VHOST_USER_F_PROTOCOL_FEATURES);
    if (done !== 0n) throw new Error(`SET_FEATURES was answered with ${done}`);
  }

  /** Says that nothing more comes, or that nothing more is read. */
  shutdown(): void {
    native.socketShutdown(this.#fd);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    sys.close(this.#fd);
  }

  #read(): void {
    while (this.#open && !this.#gone) {
      const header = new Uint8Array(HEADER_SIZE);
      try {
        const { bytes, fds } = sys.receive(this.#fd, header);
        sys.closeAll(fds);
        if (bytes === 0) this.#gone = true;
        if (bytes !== HEADER_SIZE) return;
        const view = new DataView(header.buffer);
        const payload = new Uint8Array(view.getUint32(8, true));
        if (payload.length > 0) sys.receive(this.#fd, payload);
        const u64 = payload.length === 8 ? new DataView(payload.buffer).getBigUint64(0, true) : undefined;
        this.#answers.push({ request: view.getUint32(0, true), payload, u64 });
      } catch {
        this.#gone = true;
      }
    }
  }
}
