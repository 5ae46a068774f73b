/** The device's side of a ring, by hand: takes what a driver made available and gives back whatever a case wants. Reached through the
 * memory that the driver shared. */

/** A buffer that the driver made available. Tables are not followed. */
export interface Offered {
  readonly id: number;
  /** Where the first element is, as an offset in the view. */
  readonly at: number;
  /** Bytes of the first element. */
  readonly length: number;
  /** Descriptors that it takes. */
  readonly entries: number;
  readonly writable: boolean;
}

/** One "used" entry, true or not. */
export interface UsedEntry {
  readonly id: number;
  readonly length: number;
  /** Descriptors that a packed device steps over. Default 1. */
  readonly entries?: number;
}

export interface DeviceRing {
  readonly size: number;
  /** Everything that was made available since the last call. */
  take(): Offered[];
  /** Gives entries back, in order, and shows them to the driver. */
  give(entries: readonly UsedEntry[]): void;
  /** Shows the driver an index or a state that cannot be. `lie` counts from 0; each is another one. */
  impossible(lie: number): void;
  /** Fills everything that a device may not write: descriptors and what the driver made available. */
  scribble(): void;
  /** Where SET_VRING_BASE would have to go on. */
  readonly base: number;
}

/** The shared memory, with the driver's addresses. */
export interface SharedMemory {
  readonly view: DataView;
  readonly u8: Uint8Array;
  /** Offset of an address of the driver. */
  offset(addr: bigint): number;
}

export interface RingPlace {
  readonly size: number;
  readonly desc: bigint;
  readonly avail: bigint;
  readonly used: bigint;
  readonly base: number;
}
