/**
 * A vhost-user front-end for tests: connects to a back-end's socket, negotiates, sets up split rings in its own memory, and plays the
 * guest's driver: sends frames, posts buffers, receives frames. No QEMU, no root, no hugepages.
 */
import { native, sys } from '@pollwire/native';
import type { Negotiated } from '@pollwire/vhost-user';
import {
  Feature,
  FrontendClient,
  nativeSocket,
  negotiate,
  startDevice,
  stopDevice,
} from '@pollwire/vhost-user';
import type { GuestMemoryOptions } from './guest-memory.js';
import { GuestMemory } from './guest-memory.js';
import { GuestRing } from './guest-ring.js';

export interface FakeFrontendOptions {
  /** Queue pairs. Default 1. */
  readonly pairs?: number;
  /** Entries of each ring. Default 256. */
  readonly ringSize?: number;
  /** Virtio features to ack where offered. Default VERSION_1, MRG_RXBUF, INDIRECT_DESC, MQ. */
  readonly features?: bigint;
  /** Protocol features to ack where offered. Default MQ, REPLY_ACK and STATUS. */
  readonly protocolFeatures?: bigint;
  readonly memory?: GuestMemoryOptions;
  /** First ring index. Default 65500, so that wraps happen. */
  readonly start?: number;
  /** Bytes of each rx buffer, header included. Default 2048. */
  readonly bufferSize?: number;
}

const DEFAULT_FEATURES =
  Feature.VIRTIO_F_VERSION_1 |
  Feature.VIRTIO_NET_F_MRG_RXBUF |
  Feature.VIRTIO_F_INDIRECT_DESC |
  Feature.VIRTIO_NET_F_MQ |
  Feature.VHOST_USER_F_PROTOCOL_FEATURES;

/** Bytes of the virtio-net header with VERSION_1 or MRG_RXBUF (virtio 1.2 §5.1.6). */
const HEADER = 12;
/** Bytes of a transmit buffer, header included. */
const TX_BUFFER = 10_240;

export class FakeFrontend {
  readonly memory: GuestMemory;
  readonly client: FrontendClient;
  readonly negotiated: Negotiated;
  /** Rings by vring index: even ones receive, odd ones transmit (as the guest sees it). */
  readonly rings: readonly GuestRing[];
  readonly #kick: number[];
  readonly #call: number[];
  readonly #bufferSize: number;
  /** Free transmit buffers of each queue pair, by offset. */
  readonly #txFree: number[][];
  readonly #partial = new Map<number, { frame: Uint8Array; buffersLeft: number; at: number }>();

  /** Connects, negotiates and starts all rings with receive buffers posted. */
  static async connect(path: string, options: FakeFrontendOptions = {}): Promise<FakeFrontend> {
    const client = new FrontendClient(nativeSocket(sys.connectUnix(path)));
    const { features = DEFAULT_FEATURES, protocolFeatures } = options;
    const wishes = { features, ...(protocolFeatures === undefined ? {} : { protocolFeatures }) };
    const negotiated = await negotiate(client, wishes);
    const frontend = new FakeFrontend(client, negotiated, options);
    await frontend.#start();
    return frontend;
  }

  private constructor(client: FrontendClient, negotiated: Negotiated, options: FakeFrontendOptions) {
    const { pairs = 1, ringSize = 256, start = 65_500, bufferSize = 2048 } = options;
    this.client = client;
    this.negotiated = negotiated;
    this.#bufferSize = bufferSize;
    this.memory = new GuestMemory({
      bytes: pairs * ringSize * (bufferSize + TX_BUFFER) + (1 << 20),
      ...options.memory,
    });
    this.rings = Array.from({ length: pairs * 2 }, () => new GuestRing(this.memory, ringSize, start));
    this.#txFree = Array.from({ length: pairs }, () =>
      Array.from({ length: ringSize }, () => this.memory.alloc(TX_BUFFER)),
    );
    this.#kick = this.rings.map(() => native.eventfdCreate());
    this.#call = this.rings.map(() => native.eventfdCreate());
  }

  async #start(): Promise<void> {
    this.rings.forEach((ring, index) => {
      if (index % 2 === 1) return;
      while (
        ring.post([{ offset: this.memory.alloc(this.#bufferSize), length: this.#bufferSize, writable: true }])
      );
      ring.publish();
    });
    const vrings = this.rings.map((ring, index) => ({
      index,
      size: ring.size,
      desc: this.memory.userAddr(ring.desc),
      avail: this.memory.userAddr(ring.avail),
      used: this.memory.userAddr(ring.used),
      base: index % 2 === 1 ? ring.availIdx : (ring.availIdx - (ring.size - ring.free)) & 0xffff,
      kickFd: this.#kick[index] as number,
      callFd: this.#call[index] as number,
    }));
    await startDevice(this.client, {
      features: this.negotiated.features,
      regions: [this.memory.region],
      vrings,
    });
  }

  /** Sends frames from the guest's queue `pair`; returns how many found descriptors. */
  send(frames: readonly Uint8Array[], pair = 0): number {
    const ring = this.rings[pair * 2 + 1] as GuestRing;
    const free = this.#txFree[pair] as number[];
    for (const { buffers } of ring.collect()) free.push((buffers[0] as { offset: number }).offset);
    let sent = 0;
    for (const frame of frames) {
      if (HEADER + frame.length > TX_BUFFER)
        throw new RangeError(`a frame of ${frame.length} bytes; ${TX_BUFFER - HEADER} fit`);
      const offset = free.pop();
      if (offset === undefined) break;
      this.memory.u8.fill(0, offset, offset + HEADER);
      this.memory.u8.set(frame, offset + HEADER);
      ring.post([{ offset, length: HEADER + frame.length }]);
      sent++;
    }
    ring.publish();
    native.eventfdSignal(this.#kick[pair * 2 + 1] as number);
    return sent;
  }

  /** Frames that arrived at the guest's queue `pair` since the last call; their buffers are posted again. */
  receive(pair = 0): Uint8Array[] {
    const ring = this.rings[pair * 2] as GuestRing;
    const frames: Uint8Array[] = [];
    for (const { length, buffers } of ring.collect()) {
      const buffer = buffers[0] as { offset: number; length: number };
      this.#take(pair, buffer.offset, length, frames);
      ring.post(buffers);
    }
    ring.publish();
    native.eventfdSignal(this.#kick[pair * 2] as number);
    return frames;
  }

  /** Adds one used buffer to the frame under construction (num_buffers says how many make one). */
  #take(pair: number, offset: number, length: number, frames: Uint8Array[]): void {
    if (length === 0) return;
    let open = this.#partial.get(pair);
    let from = offset;
    let bytes = length;
    if (open === undefined) {
      const buffersLeft = this.memory.view.getUint16(offset + 10, true);
      open = { frame: new Uint8Array(0), buffersLeft, at: 0 };
      from += HEADER;
      bytes -= HEADER;
    }
    const joined = new Uint8Array(open.frame.length + bytes);
    joined.set(open.frame);
    joined.set(this.memory.u8.subarray(from, from + bytes), open.frame.length);
    open.frame = joined;
    open.buffersLeft--;
    if (open.buffersLeft > 0) {
      this.#partial.set(pair, open);
    } else {
      this.#partial.delete(pair);
      frames.push(joined);
    }
  }

  /** Stops every ring in order; returns the bases by vring index. */
  stop(): Promise<Map<number, number>> {
    return stopDevice(
      this.client,
      this.rings.map((_, index) => index),
    );
  }

  /** Hangs up and gives everything back. */
  async close(): Promise<void> {
    this.client.close();
    await this.client.closed;
    for (const fd of [...this.#kick, ...this.#call]) native.closeFd(fd);
    this.memory.close();
  }
}
