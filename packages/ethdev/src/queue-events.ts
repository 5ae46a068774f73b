/**
 * Which queues a peer has enabled, and which of that the application has already been told. Two bitmaps, `current` and `seen`: a queue
 * that went on and off again before anyone looked is no event. Called by Port for queueState() and getQueueEvent().
 */

export interface QueueEvent {
  queueId: number;
  rx: boolean;
  enable: boolean;
}

export class QueueEvents {
  /** Index 2q = tx queue q, 2q + 1 = rx queue q: the order in which vrings are numbered. */
  private readonly current: Uint8Array;
  private readonly seen: Uint8Array;

  constructor(queues: number) {
    this.current = new Uint8Array(queues * 2);
    this.seen = new Uint8Array(queues * 2);
  }

  /** Records the present state. Returns true when something is now pending. Ids beyond the queue count are ignored. */
  set(queueId: number, rx: boolean, enable: boolean): boolean {
    const index = queueId * 2 + (rx ? 1 : 0);
    if (index < this.current.length) this.current[index] = enable ? 1 : 0;
    return this.pending();
  }

  /** The state last recorded. */
  enabled(queueId: number, rx: boolean): boolean {
    return this.current[queueId * 2 + (rx ? 1 : 0)] === 1;
  }

  pending(): boolean {
    return this.current.some((state, index) => state !== this.seen[index]);
  }

  /** One difference, lowest ring first, and marks it as seen; undefined when there is none left. */
  next(): QueueEvent | undefined {
    const index = this.current.findIndex((state, i) => state !== this.seen[i]);
    if (index < 0) return undefined;
    const state = this.current[index] as number;
    this.seen[index] = state;
    return { queueId: index >> 1, rx: (index & 1) === 1, enable: state === 1 };
  }
}
