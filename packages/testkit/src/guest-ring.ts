/**
 * The driver side of a split ring in guest memory, for tests: well-behaved by default, and every field can be written wrongly on
 * purpose (`memory` and the offsets are public). Layout: virtio 1.2 §2.7.
 */
import type { GuestMemory } from './guest-memory.js';

/** A buffer of a chain. */
export interface GuestBuffer {
  readonly offset: number;
  readonly length: number;
  /** The device writes into it. Default false. */
  readonly writable?: boolean;
}

/** A chain that the device gave back. */
export interface UsedChain {
  readonly head: number;
  /** Bytes that the device says it wrote. */
  readonly length: number;
  readonly buffers: readonly GuestBuffer[];
}

export const DescFlag = { NEXT: 1, WRITE: 2, INDIRECT: 4 } as const;

export class GuestRing {
  readonly size: number;
  readonly memory: GuestMemory;
  readonly desc: number;
  readonly avail: number;
  readonly used: number;
  #availIdx: number;
  #usedSeen: number;
  readonly #free: number[];
  readonly #chains = new Map<number, { descriptors: number[]; buffers: readonly GuestBuffer[] }>();

  /** @param start first index of both rings, 0 to 65535; near 65535 the wrap comes early */
  constructor(memory: GuestMemory, size: number, start = 0) {
    this.memory = memory;
    this.size = size;
    this.desc = memory.alloc(size * 16, 16);
    this.avail = memory.alloc(6 + size * 2, 2);
    this.used = memory.alloc(6 + size * 8, 4);
    this.#availIdx = start;
    this.#usedSeen = start;
    this.#free = Array.from({ length: size }, (_, id) => id).reverse();
    memory.view.setUint16(this.avail + 2, start, true);
    memory.view.setUint16(this.used + 2, start, true);
  }

  /** Next avail index, 16 bits. */
  get availIdx(): number {
    return this.#availIdx;
  }

  /** Descriptors that are free. */
  get free(): number {
    return this.#free.length;
  }

  /** Writes one descriptor as given, whatever it says. */
  writeDesc(id: number, addr: bigint, length: number, flags: number, next: number): void {
    const at = this.desc + id * 16;
    this.memory.view.setBigUint64(at, addr, true);
    this.memory.view.setUint32(at + 8, length, true);
    this.memory.view.setUint16(at + 12, flags, true);
    this.memory.view.setUint16(at + 14, next, true);
  }

  /** Makes a chain available; false when there are too few free descriptors. Publish with {@link publish}. */
  post(buffers: readonly GuestBuffer[]): boolean {
    if (buffers.length > this.#free.length) return false;
    const descriptors = buffers.map(() => this.#free.pop() as number);
    buffers.forEach((buffer, i) => {
      const next = descriptors[i + 1];
      const flags =
        (next === undefined ? 0 : DescFlag.NEXT) | (buffer.writable === true ? DescFlag.WRITE : 0);
      this.writeDesc(
        descriptors[i] as number,
        this.memory.guestAddr(buffer.offset),
        buffer.length,
        flags,
        next ?? 0,
      );
    });
    this.#chains.set(descriptors[0] as number, { descriptors, buffers });
    this.offer(descriptors[0] as number);
    return true;
  }

  /** Puts any head into the avail ring. */
  offer(head: number): void {
    this.memory.view.setUint16(this.avail + 4 + (this.#availIdx % this.size) * 2, head, true);
    this.#availIdx = (this.#availIdx + 1) & 0xffff;
  }

  /** Shows everything posted so far to the device. */
  publish(index = this.#availIdx): void {
    // JavaScript has no release store on a DataView; the system call of the next message or kick orders it, and x86 does.
    this.memory.view.setUint16(this.avail + 2, index, true);
  }

  /** Chains that came back since the last call. Throws when the device returned something that it does not have. */
  collect(): UsedChain[] {
    const back: UsedChain[] = [];
    const index = this.memory.view.getUint16(this.used + 2, true);
    while (this.#usedSeen !== index) {
      const at = this.used + 4 + (this.#usedSeen % this.size) * 8;
      const head = this.memory.view.getUint32(at, true);
      const chain = this.#chains.get(head);
      if (chain === undefined) throw new Error(`the device returned head ${head}, which it does not have`);
      this.#chains.delete(head);
      this.#free.push(...chain.descriptors);
      back.push({ head, length: this.memory.view.getUint32(at + 4, true), buffers: chain.buffers });
      this.#usedSeen = (this.#usedSeen + 1) & 0xffff;
    }
    return back;
  }
}
