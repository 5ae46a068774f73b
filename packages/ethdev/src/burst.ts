/**
 * A burst: an array of mbuf handles in the arena, filled by rx, emptied by tx. Made once at set-up, used for ever; nothing here allocates.
 * Both sides of the addon see the same words.
 *
 * Ownership: the holder of the burst owns handles[first..length). rx fills from 0; tx moves `first` behind what the driver took.
 */
import { arena, L, native, PollwireError } from '@pollwire/native';

export class Burst {
  /** Most handles it holds, 1 to 512. */
  readonly capacity: number;
  /** Arena word index of handles[0]: what native burst calls take. */
  readonly word: number;
  /** The handles themselves; the view is made once. */
  readonly handles: Uint32Array;
  /** Handles below this index belong to somebody else already (a driver took them). */
  first = 0;
  /** One past the last valid handle. */
  length = 0;

  constructor(capacity = 32) {
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > L.MAX_BURST) {
      throw new PollwireError('BURST_SIZE', `A burst holds 1 to ${L.MAX_BURST} mbufs, not ${capacity}.`);
    }
    this.capacity = capacity;
    this.word = native.arenaAlloc(capacity * 4, 64, 'burst') >>> 2;
    this.handles = arena().words(this.word, capacity);
  }

  /** Frees handles[from..length) to their pools and shortens the burst to `from`. The usual end of a turn: `burst.free(sent)`. */
  free(from = 0): void {
    const count = this.length - from;
    if (count > 0) native.mbufFreeBulk(this.word + from, count);
    this.length = from;
    if (this.first > from) this.first = from;
  }

  /** Frees the mbuf at `index` and moves the last one into its place. */
  drop(index: number): void {
    const handles = this.handles;
    native.mbufFree(handles[index] as number);
    handles[index] = handles[--this.length] as number;
  }

  /** Appends a handle that the caller owns; false when full. */
  push(handle: number): boolean {
    if (this.length === this.capacity) return false;
    this.handles[this.length++] = handle;
    return true;
  }

  /** Handle at `index`; no bounds check beyond the typed array's. */
  at(index: number): number {
    return this.handles[index] as number;
  }

  set(index: number, handle: number): void {
    this.handles[index] = handle;
  }

  /** Forgets the contents without freeing them (they were handed on one by one). */
  clear(): void {
    this.first = 0;
    this.length = 0;
  }

  /** Frees what the holder still owns: handles[first..length). For clean-up after a throw; afterwards the burst is empty. */
  reclaim(): void {
    if (this.length > this.first) native.mbufFreeBulk(this.word + this.first, this.length - this.first);
    this.clear();
  }

  /** Gives the arena block back. The burst must not be used again; mbufs still in it are not freed. */
  release(): void {
    this.clear();
    native.arenaFree(this.word << 2);
  }
}
