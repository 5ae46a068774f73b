/**
 * A vhost-user back-end that behaves as long as nobody tells it otherwise: it answers every request by hand, maps the driver's memory
 * and hands its rings to the case. `answer` can replace, delay or swallow any reply.
 */
import { fstatSync } from 'node:fs';
import { native, sys } from '@pollwire/native';
import type { FrontendMessage, FrontendRequestName } from '@pollwire/vhost-user';
import {
  decodeRequest,
  encodeReply,
  Feature,
  FRONTEND_REQUESTS,
  HEADER_SIZE,
  isReject,
  ProtocolFeature,
} from '@pollwire/vhost-user';
import type { DeviceRing, SharedMemory } from './device-ring.js';
import { PackedDeviceRing } from './packed-device-ring.js';
import { SplitDeviceRing } from './split-device-ring.js';

/** Bytes to send, with descriptors; undefined: nothing. */
export type Reply = { readonly bytes: Uint8Array; readonly fds?: readonly number[] } | undefined;

export interface BackendScript {
  readonly features?: bigint;
  readonly protocolFeatures?: bigint;
  readonly queueNum?: bigint;
  /** Replaces the usual reply to a request (undefined where none is due). */
  answer?(name: FrontendRequestName, usual: Reply, backend: HostileBackend): Reply;
}

export const PLAIN_FEATURES: bigint =
  Feature.VIRTIO_F_VERSION_1 |
  Feature.VIRTIO_NET_F_MRG_RXBUF |
  Feature.VIRTIO_F_INDIRECT_DESC |
  Feature.VHOST_USER_F_PROTOCOL_FEATURES;
const PLAIN_PROTOCOL = ProtocolFeature.MQ | ProtocolFeature.REPLY_ACK | ProtocolFeature.STATUS;

interface Vring {
  size: number;
  base: number;
  addr: { desc: bigint; avail: bigint; used: bigint } | undefined;
  kick: number;
  call: number;
  ring: DeviceRing | undefined;
}

/** One mapping for each file, kept: a mapping ends when its buffer is collected, which no case should have to wait for. */
const mappings = new Map<number, ArrayBuffer>();

export class HostileBackend {
  /** Requests so far, by name. */
  readonly seen: FrontendRequestName[] = [];
  /** Connections so far. */
  connections = 0;
  script: BackendScript;
  readonly #listener: number;
  #watch: sys.Watch;
  #socket = -1;
  #socketWatch: sys.Watch | undefined;
  #features = 0n;
  #status = 0n;
  #memory: SharedMemory | undefined;
  readonly #vrings = new Map<number, Vring>();

  /** Listens at once. */
  constructor(path: string, script: BackendScript = {}) {
    this.script = script;
    this.#listener = sys.listenUnix(path);
    this.#watch = sys.watch(this.#listener, sys.Ready.READABLE, () => this.#accept());
  }

  get connected(): boolean {
    return this.#socket >= 0;
  }

  /** The ring as the driver set it up. */
  ring(index: number): DeviceRing {
    const vring = this.#vring(index);
    const memory = this.#memory;
    if (memory === undefined || vring.addr === undefined) throw new Error(`ring ${index} was not set up`);
    const place = { size: vring.size, base: vring.base, ...vring.addr };
    const packed = (this.#features & Feature.VIRTIO_F_RING_PACKED) !== 0n;
    vring.ring ??= packed ? new PackedDeviceRing(memory, place) : new SplitDeviceRing(memory, place);
    return vring.ring;
  }

  get memory(): SharedMemory {
    if (this.#memory === undefined) throw new Error('the driver has shared no memory');
    return this.#memory;
  }

  /** The eventfd by which the driver wants to be called. */
  callFd(index: number): number {
    return this.#vring(index).call;
  }

  /** Any bytes to the front-end. */
  send(bytes: Uint8Array, fds: readonly number[] = []): void {
    if (this.#socket >= 0) sys.send(this.#socket, bytes, fds);
  }

  /** Ends the connection; the listener stays. */
  hangUp(): void {
    this.#socketWatch?.close();
    this.#socketWatch = undefined;
    if (this.#socket >= 0) sys.close(this.#socket);
    this.#socket = -1;
    for (const { kick, call } of this.#vrings.values()) sys.closeAll([kick, call]);
    this.#vrings.clear();
    this.#memory = undefined;
    this.#status = 0n;
  }

  close(): void {
    this.#watch.close();
    sys.close(this.#listener);
    this.hangUp();
  }

  #accept(): void {
    const fd = sys.acceptUnix(this.#listener);
    if (fd < 0) return;
    this.hangUp();
    this.connections++;
    this.#socket = fd;
    this.#socketWatch = sys.watch(fd, sys.Ready.READABLE, () => this.#read(fd));
  }

  /** The front-end writes whole messages, so that a header is never without its payload. */
  #read(fd: number): void {
    while (this.#socket === fd) {
      const header = new Uint8Array(HEADER_SIZE);
      let read: { bytes: number; fds: number[] };
      try {
        read = sys.receive(fd, header);
      } catch {
        this.hangUp();
        return;
      }
      if (read.bytes === 0) this.hangUp();
      if (read.bytes <= 0) return;
      const payload = new Uint8Array(new DataView(header.buffer).getUint32(8, true));
      if (payload.length > 0) sys.receive(fd, payload);
      this.#request(header, payload, read.fds);
    }
  }

  #request(header: Uint8Array, payload: Uint8Array, fds: number[]): void {
    const held = fds.map((value) => ({ value, taken: false, take: () => value }));
    const message = decodeRequest('frontend', header, payload, held);
    if (isReject(message)) throw new Error(`our own front-end sent nonsense: ${message.text}`);
    this.seen.push(message.name);
    const kept = this.#apply(message, fds);
    sys.closeAll(fds.filter((fd) => !kept.includes(fd)));
    const usual = this.#usual(message);
    const { answer } = this.script;
    const reply = answer === undefined ? usual : answer(message.name, usual, this);
    if (reply !== undefined) this.send(reply.bytes, reply.fds);
  }

  /** Takes note; returns the descriptors that stay open. */
  #apply(message: FrontendMessage, fds: readonly number[]): readonly number[] {
    switch (message.name) {
      case 'SET_FEATURES':
        this.#features = message.payload;
        return [];
      case 'SET_STATUS':
        this.#status = message.payload;
        return [];
      case 'SET_MEM_TABLE': {
        const [region] = message.payload;
        if (region !== undefined) this.#memory = mapShared(fds[0] as number, region.userAddr, region.size);
        return [];
      }
      case 'SET_VRING_NUM':
        this.#vring(message.payload.index).size = message.payload.num;
        return [];
      case 'SET_VRING_BASE':
        this.#vring(message.payload.index).base = message.payload.num;
        return [];
      case 'SET_VRING_ADDR':
        Object.assign(this.#vring(message.payload.index), { addr: message.payload, ring: undefined });
        return [];
      case 'SET_VRING_KICK':
      case 'SET_VRING_CALL': {
        const vring = this.#vring(message.payload.index);
        const which = message.name === 'SET_VRING_KICK' ? 'kick' : 'call';
        sys.close(vring[which]);
        vring[which] = fds[0] ?? -1;
        return fds;
      }
      default:
        return [];
    }
  }

  #usual(message: FrontendMessage): Reply {
    const { script } = this;
    const number = (value: bigint) => ({ bytes: encodeReply(FRONTEND_REQUESTS[message.name], 'u64', value) });
    switch (message.name) {
      case 'GET_FEATURES':
        return number(script.features ?? PLAIN_FEATURES);
      case 'GET_PROTOCOL_FEATURES':
        return number(script.protocolFeatures ?? PLAIN_PROTOCOL);
      case 'GET_QUEUE_NUM':
        return number(script.queueNum ?? 1n);
      case 'GET_STATUS':
        return number(this.#status);
      case 'GET_VRING_BASE': {
        const { index } = message.payload;
        const num = this.#vring(index).ring?.base ?? this.#vring(index).base;
        return { bytes: encodeReply(FRONTEND_REQUESTS.GET_VRING_BASE, 'vringState', { index, num }) };
      }
      default:
        return message.needReply ? number(0n) : undefined;
    }
  }

  #vring(index: number): Vring {
    let vring = this.#vrings.get(index);
    if (vring === undefined) {
      vring = { size: 0, base: 0, addr: undefined, kick: -1, call: -1, ring: undefined };
      this.#vrings.set(index, vring);
    }
    return vring;
  }
}

/** Maps the memory that drivers of this process are going to share, so that no case is the one that did. */
export function mapArena(): void {
  const info = native.arenaInfo();
  if (info !== undefined) mapShared(info.fd, info.base, BigInt(info.bytes));
}

function mapShared(fd: number, base: bigint, size: bigint): SharedMemory {
  const { ino } = fstatSync(fd);
  let buffer = mappings.get(ino);
  if (buffer === undefined) {
    buffer = native.mapFile(fd, Number(size));
    mappings.set(ino, buffer);
  }
  return {
    view: new DataView(buffer),
    u8: new Uint8Array(buffer),
    offset: (addr) => Number(addr - base),
  };
}
