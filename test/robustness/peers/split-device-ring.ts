/** A split ring in a device's hands (virtio 1.2 §2.7). Used by HostileBackend. */
import type { DeviceRing, Offered, RingPlace, SharedMemory, UsedEntry } from './device-ring.js';

const NEXT = 1;
const WRITE = 2;

export class SplitDeviceRing implements DeviceRing {
  readonly size: number;
  readonly #memory: SharedMemory;
  readonly #desc: number;
  readonly #avail: number;
  readonly #used: number;
  #taken: number;
  #given: number;

  constructor(memory: SharedMemory, place: RingPlace) {
    this.size = place.size;
    this.#memory = memory;
    this.#desc = memory.offset(place.desc);
    this.#avail = memory.offset(place.avail);
    this.#used = memory.offset(place.used);
    this.#taken = place.base & 0xffff;
    this.#given = this.#taken;
  }

  get base(): number {
    return this.#taken;
  }

  take(): Offered[] {
    const { view } = this.#memory;
    const offered: Offered[] = [];
    for (const until = view.getUint16(this.#avail + 2, true); this.#taken !== until; ) {
      const head = view.getUint16(this.#avail + 4 + (this.#taken % this.size) * 2, true);
      offered.push(this.#chain(head));
      this.#taken = (this.#taken + 1) & 0xffff;
    }
    return offered;
  }

  give(entries: readonly UsedEntry[]): void {
    const { view } = this.#memory;
    for (const { id, length } of entries) {
      const at = this.#used + 4 + (this.#given % this.size) * 8;
      view.setUint32(at, id, true);
      view.setUint32(at + 4, length, true);
      this.#given = (this.#given + 1) & 0xffff;
    }
    this.#show(this.#given);
  }

  /** Used indices: one too far, far ahead, backwards. */
  impossible(lie: number): void {
    const jumps = [this.size + 1, 30_000, -1];
    this.#show((this.#given + (jumps[lie % jumps.length] as number)) & 0xffff);
  }

  scribble(): void {
    const { u8, view } = this.#memory;
    u8.fill(0xff, this.#desc, this.#desc + this.size * 16);
    u8.fill(0xff, this.#avail + 4, this.#avail + 4 + this.size * 2);
    view.setUint16(this.#avail, 0xffff, true);
  }

  #show(index: number): void {
    this.#memory.view.setUint16(this.#used + 2, index, true);
  }

  #chain(head: number): Offered {
    const { view, offset } = this.#memory;
    const first = this.#desc + head * 16;
    let entries = 1;
    for (let at = first; (view.getUint16(at + 12, true) & NEXT) !== 0 && entries <= this.size; entries++) {
      at = this.#desc + view.getUint16(at + 14, true) * 16;
    }
    return {
      id: head,
      at: offset(view.getBigUint64(first, true)),
      length: view.getUint32(first + 8, true),
      entries,
      writable: (view.getUint16(first + 12, true) & WRITE) !== 0,
    };
  }
}
