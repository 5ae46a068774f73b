/**
 * What proves cells: a bench starts its processes once for a ring kind and runs cells through them. Also the comparisons that benches
 * share. Made by the bench files, driven by group.ts.
 */
import type { Scope } from '../harness/scope.js';
import type { Cell, Pairing, Ring } from './cells.js';

/** What a cell that is in order has moved. */
export interface Evidence {
  packets: number;
  bytes: number;
}

export interface Bench {
  /**
   * Moves frames of the cell's size in its direction.
   *
   * @throws Error saying what was wrong
   */
  run: (cell: Cell) => Promise<Evidence>;
  /** After the last cell: nothing may be held. Throws as `run` does. */
  finish: () => Promise<void>;
}

export interface BenchKind {
  /** In messages, e.g. `relay`. */
  name: string;
  /** Columns of the table to which its cells belong. */
  pairings: readonly Pairing[];
  needsDpdk: boolean;
  open: (scope: Scope, ring: Ring) => Promise<Bench>;
}

/** Throws when a number is not what it has to be. */
export function expectEqual(what: string, got: number, want: number): void {
  if (got !== want) throw new Error(`${what}: ${got}, expected ${want}`);
}

/**
 * Throws when the feature names of a port (`show port info`, `privateInfo().features`) are not those of the ring kind: a row is only
 * green for what was really negotiated.
 */
export function expectNegotiated(who: string, features: string, ring: Ring): void {
  const wanted: [name: string, on: boolean][] = [
    ['VIRTIO_F_VERSION_1', true],
    ['VIRTIO_F_RING_PACKED', ring.packed],
    ['VIRTIO_NET_F_MRG_RXBUF', ring.mergeable],
    ['VIRTIO_F_IN_ORDER', ring.inOrder],
  ];
  for (const [name, on] of wanted) {
    if (features.includes(name) === on) continue;
    throw new Error(`${who}: ${name} is ${on ? 'not ' : ''}negotiated: ${features}`);
  }
}
