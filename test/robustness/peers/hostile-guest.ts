/** A guest with running rings, split or packed, whose every word a case can choose. Layouts: virtio 1.2 §2.7 and §2.8. */
import { writeSync } from 'node:fs';
import { native } from '@pollwire/native';
import { GuestMemory } from '@pollwire/testkit';
import type { SharedRegion, VringAddr } from '@pollwire/vhost-user';
import { Feature } from '@pollwire/vhost-user';
import type { RawFrontend } from './raw-frontend.js';

export interface GuestOptions {
  readonly packed?: boolean;
  /** Features beside VERSION_1. Default MRG_RXBUF and INDIRECT_DESC. */
  readonly features?: bigint;
  /** Protocol features. Default REPLY_ACK and MQ. */
  readonly protocol?: bigint;
  readonly size?: number;
}

/** Flags of descriptors. */
export const D = { NEXT: 1, WRITE: 2, INDIRECT: 4, AVAIL: 1 << 7, USED: 1 << 15 } as const;

export interface Descriptor {
  readonly addr: bigint;
  readonly length: number;
  readonly flags?: number;
  /** Split: the next one. Packed: the buffer id. */
  readonly next?: number;
}

const MEMORY = 2 << 20;
const DATA = 1 << 20;

/** One ring of the guest. */
export class GuestSide {
  readonly size: number;
  readonly packed: boolean;
  readonly memory: GuestMemory;
  readonly desc: number;
  readonly avail: number;
  readonly used: number;
  /** Split: free-running index. Packed: position and wrap counter of what is made available next. */
  index: number;
  wrap = true;

  constructor(memory: GuestMemory, size: number, packed: boolean) {
    this.memory = memory;
    this.size = size;
    this.packed = packed;
    this.index = packed ? 0 : 65_530;
    this.desc = memory.alloc(size * 16, 16);
    this.avail = memory.alloc(6 + size * 2, 4);
    this.used = memory.alloc(6 + size * 8, 4);
    if (packed) {
      // Event structures: no calls wanted.
      memory.view.setUint32(this.avail, 1 << 16, true);
    } else {
      memory.view.setUint16(this.avail + 2, this.index, true);
      memory.view.setUint16(this.used + 2, this.index, true);
    }
  }

  /** Nothing is available and nothing used; a packed ring begins its first lap. */
  reset(): void {
    if (this.packed) {
      this.memory.u8.fill(0, this.desc, this.desc + this.size * 16);
      this.index = 0;
      this.wrap = true;
    } else {
      this.publish(this.index);
      this.memory.view.setUint16(this.used + 2, this.index, true);
    }
  }

  get base(): number {
    return this.packed ? 0x8000_8000 : this.index;
  }

  /** Split: a descriptor in the table. */
  write(at: number, { addr, length, flags = 0, next = 0 }: Descriptor): void {
    const { view } = this.memory;
    view.setBigUint64(at, addr, true);
    view.setUint32(at + 8, length, true);
    if (this.packed) {
      view.setUint16(at + 12, next, true);
      view.setUint16(at + 14, flags, true);
    } else {
      view.setUint16(at + 12, flags, true);
      view.setUint16(at + 14, next, true);
    }
  }

  /** A chain as given: split ones are linked by NEXT and `next` of their own, packed ones lie one after the other. */
  offer(chain: readonly Descriptor[]): void {
    if (this.packed) this.#offerPacked(chain);
    else this.#offerSplit(chain);
  }

  /** Split: any head. */
  offerHead(head: number): void {
    this.memory.view.setUint16(this.avail + 4 + (this.index % this.size) * 2, head, true);
    this.index = (this.index + 1) & 0xffff;
    this.publish(this.index);
  }

  /** Split: any index. */
  publish(index: number): void {
    this.memory.view.setUint16(this.avail + 2, index & 0xffff, true);
  }

  /** Split: how far the device has come. Packed: whether the descriptor at `at` was used. */
  get usedIndex(): number {
    return this.memory.view.getUint16(this.used + 2, true);
  }

  wasUsed(at: number, wrap = true): boolean {
    const flags = this.memory.view.getUint16(this.desc + at * 16 + 14, true);
    const want = wrap ? D.AVAIL | D.USED : 0;
    return (flags & (D.AVAIL | D.USED)) === want;
  }

  /** Bytes that the device says it wrote, of the used element or descriptor at `at`. */
  usedLength(at: number): number {
    const { view } = this.memory;
    if (this.packed) return view.getUint32(this.desc + (at % this.size) * 16 + 8, true);
    return view.getUint32(this.used + 4 + (at % this.size) * 8 + 4, true);
  }

  #offerSplit(chain: readonly Descriptor[]): void {
    chain.forEach((one, i) => {
      this.write(this.desc + i * 16, one);
    });
    this.offerHead(0);
  }

  #offerPacked(chain: readonly Descriptor[]): void {
    const start = { at: this.index, wrap: this.wrap };
    chain.forEach((one, i) => {
      const at = (start.at + i) % this.size;
      const wrap = start.at + i >= this.size ? !start.wrap : start.wrap;
      // `next` of a split chain means nothing here: the id is the position unless the case gives one.
      this.write(this.desc + at * 16, {
        ...one,
        flags: (one.flags ?? 0) | (wrap ? D.AVAIL : D.USED),
        next: one.next ?? at,
      });
      this.index = at + 1 === this.size ? 0 : at + 1;
      this.wrap = at + 1 === this.size ? !wrap : wrap;
    });
  }
}

export class HostileGuest {
  readonly peer: RawFrontend;
  readonly memory: GuestMemory;
  /** 0: the guest receives; 1: it sends. */
  rings: readonly [GuestSide, GuestSide];
  readonly features: bigint;
  readonly #protocol: bigint | undefined;
  readonly #kick: number[];
  readonly #call: number[];
  #open = true;

  constructor(peer: RawFrontend, options: GuestOptions) {
    const { packed = false, size = 64 } = options;
    this.peer = peer;
    this.features =
      Feature.VIRTIO_F_VERSION_1 |
      (options.features ?? Feature.VIRTIO_NET_F_MRG_RXBUF | Feature.VIRTIO_F_INDIRECT_DESC) |
      (packed ? Feature.VIRTIO_F_RING_PACKED : 0n);
    this.#protocol = options.protocol;
    this.memory = new GuestMemory({ bytes: MEMORY });
    this.rings = [new GuestSide(this.memory, size, packed), new GuestSide(this.memory, size, packed)];
    this.#kick = this.rings.map(() => native.eventfdCreate());
    this.#call = this.rings.map(() => native.eventfdCreate());
  }

  /** Offset in memory of a place for data. */
  place(page = 0): number {
    return DATA + page * 4096;
  }

  /** Writes a table of descriptors; its offset. Each call takes fresh room. */
  writeTable(ring: GuestSide, entries: readonly Descriptor[]): number {
    const at = this.memory.alloc(entries.length * 16, 16);
    entries.forEach((entry, i) => {
      ring.write(
        at + i * 16,
        ring.packed ? { ...entry, flags: (entry.flags ?? 0) & ~D.NEXT, next: 0 } : entry,
      );
    });
    return at;
  }

  /** Guest address of a place for data; `page` counts 4 KiB. */
  data(page = 0): bigint {
    return this.memory.guestAddr(DATA + page * 4096);
  }

  /** First guest address behind all memory. */
  get end(): bigint {
    return this.memory.guestAddr(MEMORY);
  }

  get region(): SharedRegion {
    return this.memory.region;
  }

  /** Negotiates, shares memory and starts both rings. */
  async start(): Promise<void> {
    const { peer } = this;
    await peer.negotiate(this.features, this.#protocol);
    await this.#done('SET_MEM_TABLE', peer.ask('SET_MEM_TABLE', [this.region], [this.memory.fd]));
    for (const index of [0, 1] as const) await this.startRing(index);
  }

  async startRing(index: 0 | 1): Promise<void> {
    const { peer } = this;
    const ring = this.rings[index];
    await this.#done('SET_VRING_NUM', peer.ask('SET_VRING_NUM', { index, num: ring.size }));
    await this.#done('SET_VRING_BASE', peer.ask('SET_VRING_BASE', { index, num: ring.base }));
    await this.#done('SET_VRING_ADDR', peer.ask('SET_VRING_ADDR', this.addresses(index)));
    const fd = { index, noFd: false };
    await this.#done('SET_VRING_CALL', peer.ask('SET_VRING_CALL', fd, [this.#call[index] as number]));
    await this.#done('SET_VRING_KICK', peer.ask('SET_VRING_KICK', fd, [this.#kick[index] as number]));
    await this.#done('SET_VRING_ENABLE', peer.ask('SET_VRING_ENABLE', { index, num: 1 }));
  }

  async #done(what: string, answer: Promise<bigint | undefined>): Promise<void> {
    const value = await answer;
    if (value !== 0n) throw new Error(`${what} was answered with ${value}`);
  }

  /** Writes a frame of 60 bytes behind an empty header at a data page. */
  frame(page = 0): void {
    const at = DATA + page * 4096;
    this.memory.u8.fill(0, at, at + 12);
    this.memory.u8.fill(0x33, at + 12, at + 72);
  }

  /** The ring as it was before its first descriptor. */
  resetRing(index: 0 | 1): void {
    this.rings[index].reset();
  }

  /** Fresh rings elsewhere in memory, as after a reboot. Nobody is told. */
  renewRings(): void {
    const { size, packed } = this.rings[0];
    this.rings = [new GuestSide(this.memory, size, packed), new GuestSide(this.memory, size, packed)];
  }

  /** Stops a ring and sets it up anew, without waiting for any of the 7 answers. */
  sendSetup(index: 0 | 1): void {
    const ask = { needReply: true };
    const ring = this.rings[index];
    this.peer.send('GET_VRING_BASE', { index, num: 0 });
    this.peer.send('SET_VRING_NUM', { index, num: ring.size }, ask);
    this.peer.send('SET_VRING_BASE', { index, num: ring.base }, ask);
    this.peer.send('SET_VRING_ADDR', this.addresses(index), ask);
    const fd = { index, noFd: false };
    this.peer.send('SET_VRING_CALL', fd, { ...ask, fds: [this.#call[index] as number] });
    this.peer.send('SET_VRING_KICK', fd, { ...ask, fds: [this.#kick[index] as number] });
    this.peer.send('SET_VRING_ENABLE', { index, num: 1 }, ask);
  }

  /** What SET_VRING_ADDR says. */
  addresses(index: 0 | 1): VringAddr {
    const ring = this.rings[index];
    const { memory } = this;
    return {
      index,
      flags: 0,
      desc: memory.userAddr(ring.desc),
      avail: memory.userAddr(ring.avail),
      used: memory.userAddr(ring.used),
      log: 0n,
    };
  }

  /** Stops a ring and sets it up anew. */
  async restart(index: 0 | 1): Promise<void> {
    this.peer.send('GET_VRING_BASE', { index, num: 0 });
    await this.peer.answer();
    await this.startRing(index);
  }

  /** Nobody reads the calls, and no more fit: an eventfd holds 2^64 - 2. */
  fillCalls(): void {
    for (const fd of this.#call) writeSync(fd, Uint8Array.of(0xfe, 255, 255, 255, 255, 255, 255, 255));
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.peer.close();
    for (const fd of [...this.#kick, ...this.#call]) native.closeFd(fd);
    this.memory.close();
  }
}
