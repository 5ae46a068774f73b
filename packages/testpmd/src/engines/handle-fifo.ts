/** First in, first out, for mbuf handles of one lcore: a fixed ring that allocates nothing. Used by the noisy engine. */
export class HandleFifo {
  readonly capacity: number;
  length = 0;
  private readonly slots: Uint32Array;
  private head = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.slots = new Uint32Array(capacity);
  }

  /** Appends `count` handles of `source` from `from`; they must fit. */
  pushFrom(source: Uint32Array, from: number, count: number): void {
    let tail = this.head + this.length;
    for (let i = 0; i < count; i++, tail++) {
      this.slots[tail < this.capacity ? tail : tail - this.capacity] = source[from + i] as number;
    }
    this.length += count;
  }

  /** Takes the `count` oldest out, into `target` from 0; they must be there. */
  popInto(target: Uint32Array, count: number): void {
    for (let i = 0; i < count; i++) {
      target[i] = this.slots[this.head] as number;
      this.head = this.head + 1 === this.capacity ? 0 : this.head + 1;
    }
    this.length -= count;
  }
}
