/**
 * A vhost-user front-end for devices that answer requests (a disk, not a network card): connects, negotiates, starts split rings in its
 * own memory, sends requests and waits for their answers. Any bytes may be sent; what breaks the ring itself is GuestRing's business.
 */
import { native, sys } from '@pollwire/native';
import type { Negotiated } from '@pollwire/vhost-user';
import {
  Feature,
  FrontendClient,
  nativeSocket,
  negotiate,
  ProtocolFeature,
  startDevice,
  stopDevice,
} from '@pollwire/vhost-user';
import { GuestMemory } from './guest-memory.js';
import { GuestRing } from './guest-ring.js';

export interface RequestFrontendOptions {
  /** Default 1. */
  readonly rings?: number;
  /** Entries of each ring. Default 16. */
  readonly ringSize?: number;
  /** Virtio features to ack where offered. Default VERSION_1, INDIRECT_DESC, PROTOCOL_FEATURES. */
  readonly features?: bigint;
  /** Protocol features to ack where offered. Default MQ, REPLY_ACK, STATUS, CONFIG. */
  readonly protocolFeatures?: bigint;
  /** First ring index. Default 65530. */
  readonly start?: number;
}

/** What a device made of a request. */
export interface RequestAnswer {
  /** Bytes that the device says it wrote. */
  readonly length: number;
  /** The room of the request as it is now. */
  readonly data: Uint8Array;
}

export class RequestFrontend {
  readonly memory = new GuestMemory();
  readonly client: FrontendClient;
  readonly negotiated: Negotiated;
  readonly rings: readonly GuestRing[];
  readonly kicks: readonly number[];
  readonly calls: readonly number[];
  readonly #waiting: Map<number, (answer: RequestAnswer) => void>[];
  readonly #timer: NodeJS.Timeout;
  #isClosed = false;

  /** Connects, negotiates and starts all rings. */
  static async connect(path: string, options: RequestFrontendOptions = {}): Promise<RequestFrontend> {
    const client = new FrontendClient(nativeSocket(sys.connectUnix(path)));
    const wanted =
      Feature.VIRTIO_F_VERSION_1 | Feature.VIRTIO_F_INDIRECT_DESC | Feature.VHOST_USER_F_PROTOCOL_FEATURES;
    const { MQ, REPLY_ACK, STATUS, CONFIG } = ProtocolFeature;
    const protocolFeatures = options.protocolFeatures ?? MQ | REPLY_ACK | STATUS | CONFIG;
    const negotiated = await negotiate(client, { features: options.features ?? wanted, protocolFeatures });
    const frontend = new RequestFrontend(client, negotiated, options);
    await frontend.start();
    return frontend;
  }

  private constructor(client: FrontendClient, negotiated: Negotiated, options: RequestFrontendOptions) {
    const { rings = 1, ringSize = 16, start = 65_530 } = options;
    this.client = client;
    this.negotiated = negotiated;
    this.rings = Array.from({ length: rings }, () => new GuestRing(this.memory, ringSize, start));
    this.kicks = this.rings.map(() => native.eventfdCreate());
    this.calls = this.rings.map(() => native.eventfdCreate());
    this.#waiting = this.rings.map(() => new Map());
    this.#timer = setInterval(() => this.collect(), 1).unref();
  }

  /** Starts all rings where they stand: after connecting, and again after {@link stop}. */
  async start(bases?: ReadonlyMap<number, number>): Promise<void> {
    const vrings = this.rings.map((ring, index) => ({
      index,
      size: ring.size,
      desc: this.memory.userAddr(ring.desc),
      avail: this.memory.userAddr(ring.avail),
      used: this.memory.userAddr(ring.used),
      base: bases?.get(index) ?? ring.availIdx,
      kickFd: this.kicks[index] as number,
      callFd: this.calls[index] as number,
    }));
    await startDevice(this.client, {
      features: this.negotiated.features,
      regions: [this.memory.region],
      vrings,
    });
  }

  /** Sends `readable` with `writable` bytes of room, and kicks. Resolves when the device has answered. */
  request(readable: Uint8Array, writable: number, ring = 0): Promise<RequestAnswer> {
    const queue = this.rings[ring] as GuestRing;
    const at = this.memory.alloc(readable.length + writable + 1);
    this.memory.u8.set(readable, at);
    const head = { offset: at, length: readable.length };
    const room = { offset: at + readable.length, length: writable, writable: true };
    const buffers = [head, room].filter(({ length }) => length > 0);
    const index = queue.post(buffers) ? at : undefined;
    if (index === undefined) throw new RangeError('the ring of the test is full');
    queue.publish();
    native.eventfdSignal(this.kicks[ring] as number);
    return new Promise((resolve) => {
      const first = buffers[0]?.offset ?? at;
      this.#waiting[ring]?.set(first, (answer) => {
        const data = this.memory.u8.slice(room.offset, room.offset + writable);
        resolve({ ...answer, data });
      });
    });
  }

  /** Looks for answers now; otherwise a timer does. */
  collect(): void {
    this.rings.forEach((ring, index) => {
      for (const { length, buffers } of ring.collect()) {
        const first = buffers[0]?.offset ?? -1;
        const done = this.#waiting[index]?.get(first);
        this.#waiting[index]?.delete(first);
        done?.({ length, data: new Uint8Array(0) });
      }
    });
  }

  /** Stops every ring in order; returns the bases by vring index. */
  stop(): Promise<Map<number, number>> {
    return stopDevice(
      this.client,
      this.rings.map((_, index) => index),
    );
  }

  /** Hangs up and gives everything back. Twice is harmless. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.client.close();
    await this.client.closed;
    for (const fd of [...this.kicks, ...this.calls]) native.closeFd(fd);
    this.memory.close();
  }
}
