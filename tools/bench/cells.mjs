// @ts-check
// What the benchmark measures: each cell is one placement of traffic, run once with our testpmd and once with DPDK's in the
// same place, against the same unchanged DPDK peer. Rates are read at the peer.

/**
 * @typedef {object} Cell
 * @property {string} name
 * @property {'guest-to-host' | 'host-to-guest'} direction
 * @property {'split' | 'split in-order' | 'packed' | 'packed in-order'} ring
 * @property {number} size frame length in bytes
 * @property {number} queues queue pairs
 */

/**
 * @typedef {object} SelfLoop
 * @property {string} name
 * @property {'io' | 'macswap'} engine
 * @property {Cell['ring']} ring
 * @property {number} size frame length in bytes
 */

/** virtio-user arguments that make the peer negotiate a ring kind. @type {Record<Cell['ring'], string>} */
export const RING_ARGS = {
  split: 'in_order=0',
  'split in-order': 'in_order=1,mrg_rxbuf=0',
  packed: 'packed_vq=1,in_order=0',
  'packed in-order': 'packed_vq=1,in_order=1,mrg_rxbuf=0',
};

const DIRECTIONS = /** @type {const} */ (['guest-to-host', 'host-to-guest']);

/** @param {Partial<Cell> & Pick<Cell, 'direction'>} part @returns {Cell} */
function cell({ direction, ring = 'split', size = 64, queues = 1 }) {
  return { name: `${ring} ${direction} ${size} B ${queues}q`, direction, ring, size, queues };
}

/** @param {SelfLoop['engine']} engine @param {Cell['ring']} ring @param {number} [size] @returns {SelfLoop} */
function loop(engine, ring, size = 64) {
  return { name: `self-loop ${ring} ${engine} ${size} B`, engine, ring, size };
}

/** The single-core self-loop, in short and in full. */
export const QUICK_LOOPS = [loop('io', 'split'), loop('macswap', 'split'), loop('io', 'packed')];
export const ALL_LOOPS = /** @type {Cell['ring'][]} */ (Object.keys(RING_ARGS)).flatMap((ring) =>
  /** @type {const} */ (['io', 'macswap']).flatMap((engine) =>
    [64, 1518].map((size) => loop(engine, ring, size)),
  ),
);

/** The cells that a change of the data path is judged by. */
export const QUICK = DIRECTIONS.map((direction) => cell({ direction }));

/** Everything. */
export const ALL = /** @type {Cell['ring'][]} */ (Object.keys(RING_ARGS)).flatMap((ring) =>
  DIRECTIONS.flatMap((direction) => [64, 256, 1024, 1518].map((size) => cell({ direction, ring, size }))),
);
