// @ts-check
// What the benchmark measures: each cell is one placement of traffic, run with our testpmd and with DPDK's in the same place.

/**
 * @typedef {'split' | 'split in-order' | 'packed' | 'packed in-order'} Ring
 * @typedef {'io' | 'macswap'} Engine
 * @typedef {'guest-to-host' | 'host-to-guest'} Direction
 * @typedef {'vhost' | 'virtio' | 'both'} Role which side of two cores is measured; the other one is DPDK's
 */

/**
 * One core: both ends of the rings in one testpmd.
 * @typedef {object} SelfLoop
 * @property {string} name
 * @property {'self-loop'} role
 * @property {Engine} engine
 * @property {Ring} ring
 * @property {number} size frame length in bytes
 * @property {number} queues queue pairs
 */

/**
 * Two cores: a sender and a receiver.
 * @typedef {object} TwoCore
 * @property {string} name
 * @property {Role} role
 * @property {Direction} direction
 * @property {Ring} ring
 * @property {number} size
 * @property {number} queues
 */

/** @typedef {SelfLoop | TwoCore} Cell */

/** virtio-user arguments that make the two ends negotiate a ring kind. In-order rings are those without mergeable buffers. @type {Record<Ring, string>} */
export const RING_ARGS = {
  split: 'in_order=0',
  'split in-order': 'in_order=1,mrg_rxbuf=0',
  packed: 'packed_vq=1,in_order=0',
  'packed in-order': 'packed_vq=1,in_order=1,mrg_rxbuf=0',
};

export const RINGS = /** @type {Ring[]} */ (Object.keys(RING_ARGS));
export const ENGINES = /** @type {const} */ (['io', 'macswap']);
export const DIRECTIONS = /** @type {const} */ (['guest-to-host', 'host-to-guest']);
export const ROLES = /** @type {const} */ (['vhost', 'virtio', 'both']);
export const SIZES = [64, 256, 1024, 1518, 9000];
export const QUEUES = [1, 2];

/** What stands in each place, for the table's foot. */
export const ROLE_TEXTS = {
  'self-loop': 'one lcore forwards between a vhost and a virtio-user port of its own program',
  vhost: "the vhost side is ours or DPDK's, its peer DPDK's virtio-user",
  virtio: "the virtio-user side is ours or DPDK's, its peer DPDK's vhost",
  both: "both sides are ours, or both DPDK's",
};

/** @param {Ring} ring @param {Engine} engine @param {number} [size] @param {number} [queues] @returns {SelfLoop} */
export function selfLoop(ring, engine, size = 64, queues = 1) {
  const name = `self-loop ${ring} ${engine} ${size} B ${queues}q`;
  return { name, role: 'self-loop', engine, ring, size, queues };
}

/** @param {Role} role @param {Ring} ring @param {Direction} direction @param {number} [size] @param {number} [queues] @returns {TwoCore} */
export function twoCore(role, ring, direction, size = 64, queues = 1) {
  return { name: `${role} ${ring} ${direction} ${size} B ${queues}q`, role, direction, ring, size, queues };
}

/** Everything, the most telling cells first. @returns {Cell[]} */
export function allCells() {
  return QUEUES.flatMap((queues) =>
    SIZES.flatMap((size) => [
      ...RINGS.flatMap((ring) => ENGINES.map((engine) => selfLoop(ring, engine, size, queues))),
      ...ROLES.flatMap((role) =>
        RINGS.flatMap((ring) => DIRECTIONS.map((direction) => twoCore(role, ring, direction, size, queues))),
      ),
    ]),
  );
}

/** The headline: 64 bytes, one queue. @returns {Cell[]} */
export const quickCells = () => allCells().filter(({ size, queues }) => size === 64 && queues === 1);

/** The steady part of it, by which a change is judged. */
export const gateCells = () => RINGS.flatMap((ring) => ENGINES.map((engine) => selfLoop(ring, engine)));

/**
 * Cells whose name holds the text, or one of several texts between commas ("packed io 64 B,vhost split").
 * @template {{ name: string }} T
 * @param {T[]} cells
 * @param {string | undefined} text
 */
export function select(cells, text) {
  const wanted = (text ?? '').split(',').map((one) => one.trim());
  return cells.filter(({ name }) => wanted.some((one) => name.includes(one)));
}

/**
 * Buffers that hold a frame in one piece, so that both programs do the same work: an in-order ring has no mergeable buffers.
 * @param {number} size
 */
export function mbufArgs(size) {
  return size <= 2048 ? ['--total-num-mbufs=32768'] : ['--mbuf-size=9728', '--total-num-mbufs=16384'];
}
