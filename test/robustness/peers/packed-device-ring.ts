/** A packed ring in a device's hands (virtio 1.2 §2.8). Used by HostileBackend. */
import type { DeviceRing, Offered, RingPlace, SharedMemory, UsedEntry } from './device-ring.js';

const NEXT = 1;
const WRITE = 2;
const AVAIL = 1 << 7;
const USED = 1 << 15;
const WRAP = 0x8000;

interface Cursor {
  at: number;
  wrap: boolean;
}

export class PackedDeviceRing implements DeviceRing {
  readonly size: number;
  readonly #memory: SharedMemory;
  readonly #desc: number;
  #taken: Cursor;
  #given: Cursor;

  constructor(memory: SharedMemory, place: RingPlace) {
    this.size = place.size;
    this.#memory = memory;
    this.#desc = memory.offset(place.desc);
    const start = { at: place.base & (WRAP - 1), wrap: (place.base & WRAP) !== 0 };
    this.#taken = start;
    this.#given = { ...start };
  }

  get base(): number {
    const { at, wrap } = this.#taken;
    const half = at | (wrap ? WRAP : 0);
    return half + half * 0x1_0000;
  }

  take(): Offered[] {
    const { view, offset } = this.#memory;
    const offered: Offered[] = [];
    for (;;) {
      const first = this.#desc + this.#taken.at * 16;
      if (!this.#isAvailable(first)) return offered;
      let entries = 1;
      let last = first;
      while ((view.getUint16(last + 14, true) & NEXT) !== 0 && entries <= this.size) {
        last = this.#desc + ((this.#taken.at + entries++) % this.size) * 16;
      }
      offered.push({
        id: view.getUint16(last + 12, true),
        at: offset(view.getBigUint64(first, true)),
        length: view.getUint32(first + 8, true),
        entries,
        writable: (view.getUint16(first + 14, true) & WRITE) !== 0,
      });
      this.#taken = this.#stepped(this.#taken, entries);
    }
  }

  give(entries: readonly UsedEntry[]): void {
    for (const { id, length, entries: steps = 1 } of entries) {
      this.#write(this.#given, id, length, this.#given.wrap ? AVAIL | USED : 0);
      this.#given = this.#stepped(this.#given, steps);
    }
  }

  /** Owner bits of another lap, that neither side may write now; with an id that is in flight. */
  impossible(lie: number): void {
    const { wrap } = this.#given;
    const otherLap = [wrap ? USED : AVAIL, wrap ? 0 : AVAIL | USED];
    this.#write(this.#given, lie % this.size, 72, otherLap[lie % otherLap.length] as number);
  }

  scribble(): void {
    const { view, u8 } = this.#memory;
    for (let at = 0; at < this.size; at++) {
      const desc = this.#desc + at * 16;
      // The address and the length are the driver's; id and flags are where a device writes.
      u8.fill(0xff, desc, desc + 8);
      view.setUint32(desc + 8, 0xffff_ffff, true);
    }
  }

  #isAvailable(desc: number): boolean {
    const flags = this.#memory.view.getUint16(desc + 14, true) & (AVAIL | USED);
    return flags === (this.#taken.wrap ? AVAIL : USED);
  }

  #write({ at }: Cursor, id: number, length: number, flags: number): void {
    const { view } = this.#memory;
    const desc = this.#desc + at * 16;
    view.setUint32(desc + 8, length, true);
    view.setUint16(desc + 12, id, true);
    view.setUint16(desc + 14, flags, true);
  }

  #stepped({ at, wrap }: Cursor, by: number): Cursor {
    const to = at + by;
    return to >= this.size ? { at: to - this.size, wrap: !wrap } : { at: to, wrap };
  }
}
