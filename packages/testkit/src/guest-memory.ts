/**
 * Guest memory for tests: a memfd with a bump allocator, readable and writable as bytes. What a fake front-end shares with a back-end.
 * Addresses are guest-physical; user addresses lie at another base, so that code which mixes the two up fails.
 */
import { native } from '@pollwire/native';
import type { SharedRegion } from '@pollwire/vhost-user';

export interface GuestMemoryOptions {
  /** Bytes. Default 4 MiB. */
  readonly bytes?: number;
  /** Guest-physical address of the first byte. Default 0x1000_0000. */
  readonly guestBase?: bigint;
  /** Front-end user address of the first byte. Default 0x7f00_0000_0000. */
  readonly userBase?: bigint;
}

export class GuestMemory {
  readonly bytes: number;
  readonly fd: number;
  readonly view: DataView;
  readonly u8: Uint8Array;
  readonly guestBase: bigint;
  readonly userBase: bigint;
  #next = 0;

  constructor(options: GuestMemoryOptions = {}) {
    this.bytes = options.bytes ?? 4 << 20;
    this.guestBase = options.guestBase ?? 0x1000_0000n;
    this.userBase = options.userBase ?? 0x7f00_0000_0000n;
    this.fd = native.memfdCreate('pollwire-guest', this.bytes);
    const buffer = native.mapFile(this.fd, this.bytes);
    this.view = new DataView(buffer);
    this.u8 = new Uint8Array(buffer);
  }

  /** Offset of a fresh block; throws RangeError when the memory is full. */
  alloc(bytes: number, align = 16): number {
    const at = Math.ceil(this.#next / align) * align;
    if (at + bytes > this.bytes) throw new RangeError(`guest memory of ${this.bytes} bytes is full`);
    this.#next = at + bytes;
    return at;
  }

  /** Guest-physical address of an offset: what descriptors hold. */
  guestAddr(offset: number): bigint {
    return this.guestBase + BigInt(offset);
  }

  /** User address of an offset: what SET_VRING_ADDR holds. */
  userAddr(offset: number): bigint {
    return this.userBase + BigInt(offset);
  }

  /** The one region that this memory is. */
  get region(): SharedRegion {
    const { guestBase, userBase, fd } = this;
    return { guestAddr: guestBase, userAddr: userBase, size: BigInt(this.bytes), mmapOffset: 0n, fd };
  }

  close(): void {
    native.closeFd(this.fd);
  }
}
