/** The axes of the interoperability matrix and what one cell of it is. Used by every bench, by run.ts and by the interop tests. */

/** One way to negotiate the rings of a virtio-net device. */
export interface Ring {
  readonly packed: boolean;
  readonly mergeable: boolean;
  readonly inOrder: boolean;
  /** Queue pairs. */
  readonly queues: number;
}

/** `vhost>virtio` is what a guest receives, `virtio>vhost` what it sends. */
export type Direction = 'vhost>virtio' | 'virtio>vhost';

export interface Cell {
  readonly ring: Ring;
  /** Frame length in bytes, without FCS. */
  readonly size: number;
  readonly direction: Direction;
}

/** Who faces whom. The first two are proven by two benches: equal counters, and content through a relay. */
export type Pairing = 'ours:dpdk' | 'dpdk:ours' | 'one process' | 'two processes';

export const pairingTitles: Record<Pairing, string> = {
  'ours:dpdk': 'our virtio-user, DPDK vhost',
  'dpdk:ours': 'DPDK virtio-user, our vhost',
  'one process': 'ours, ours, one process',
  'two processes': 'ours, ours, two processes',
};

export const pairings = Object.keys(pairingTitles) as readonly Pairing[];
export const directions: readonly Direction[] = ['vhost>virtio', 'virtio>vhost'];
export const sizes: readonly number[] = [64, 570, 1518, 9000];

/** All 16 kinds. */
export const allRings: readonly Ring[] = [false, true].flatMap((packed) =>
  [true, false].flatMap((mergeable) =>
    [true, false].flatMap((inOrder) => [1, 2].map((queues) => ({ packed, mergeable, inOrder, queues }))),
  ),
);

/** Each value of each axis at least once with either ring format: what a run of three minutes can hold. */
export const quickRings: readonly Ring[] = allRings.filter(
  ({ mergeable, inOrder, queues }) => mergeable === inOrder && (queues === 1) === mergeable,
);

export function ringName({ packed, mergeable, inOrder, queues }: Ring): string {
  const format = packed ? 'packed' : 'split ';
  const merge = mergeable ? 'mergeable' : 'one-mbuf ';
  return `${format} ${merge} ${inOrder ? 'in-order' : 'any-order'} ${queues}q`;
}

/** The cells of one ring kind, in the order in which a bench runs them. */
export function cellsOf(ring: Ring): Cell[] {
  return directions.flatMap((direction) => sizes.map((size) => ({ ring, size, direction })));
}

/**
 * Room of an mbuf with its headroom. A receiver without mergeable buffers needs each frame in one buffer, so 9000 bytes
 * want a large one; with mergeable buffers the default makes long frames span several.
 */
export function mbufSize({ mergeable }: Ring): number {
  return mergeable ? 2176 : 10_240;
}

/** A frame is sent in parts of at most this many bytes, so that 9000 bytes are a chain on the sender's side too. */
export const segmentLimit = 1800;

/** Lengths of the segments in which a frame of `size` bytes is sent. */
export function segmentsOf(size: number): number[] {
  const count = Math.ceil(size / segmentLimit);
  return Array.from({ length: count }, (_, i) => Math.floor(size / count) + (i < size % count ? 1 : 0));
}
