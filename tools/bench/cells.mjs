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

/** The cells that a change of the data path is judged by. */
export const QUICK = DIRECTIONS.map((direction) => cell({ direction }));

/** Everything. */
export const ALL = /** @type {Cell['ring'][]} */ (['split', 'split in-order']).flatMap((ring) =>
  DIRECTIONS.flatMap((direction) => [64, 256, 1024, 1518].map((size) => cell({ direction, ring, size }))),
);
