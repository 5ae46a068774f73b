// @ts-check
// How start-up, attaching, memory and the cost of a packet grow with ports and queues, for our testpmd and DPDK's. Memory is read off a run
// of its own without hugepages, where what is resident can be seen.
import { readFileSync } from 'node:fs';
import { freeHeapKiB, procKiB } from './parse.mjs';
import { Program, socketDir } from './program.mjs';
import { Progress, say } from './progress.mjs';
import { recordedCycles } from './self-loop.mjs';
import { fixed, table } from './table.mjs';

/** @typedef {import('./program.mjs').Kind} Kind */
/** @typedef {{ ports: number, queues: number }} Size */

const KINDS = /** @type {const} */ (['pollwire', 'dpdk']);
const PORTS = { full: [1, 2, 8, 32, 64], quick: [1, 8, 64] };
const QUEUES = { full: [1, 2, 8, 32, 128], quick: [1, 8, 128] };
/** The same buffers whatever grows, enough for each burst that can be under way. */
const APP = ['--total-num-mbufs=32768'];

/**
 * @param {Kind} kind
 * @param {Size} size
 * @param {(index: number) => string} vdev
 * @param {{ ordinary?: boolean }} [memory]
 */
async function start(kind, { ports, queues }, vdev, memory = {}) {
  const vdevs = Array.from({ length: ports }, (_, index) => vdev(index));
  const app = [...APP, `--rxq=${queues}`, `--txq=${queues}`];
  const program = await Program.start({ kind, vdevs, app, ...memory });
  const summary = await program.command('show port summary all');
  const seen = Number(/Number of available ports: (\d+)/.exec(summary)?.[1] ?? Number.NaN);
  if (seen === ports) return program;
  await program.quit();
  throw new Error(`${kind}: ${seen} of ${ports} ports came up`);
}

/**
 * Memory in KiB; `used` leaves out what DPDK's heap has reserved and not given out.
 * @typedef {{ startMs: number, usedKiB: number, residentKiB: number, lockedKiB: number }} Footprint
 * @typedef {Size & { kind: Kind, cycles?: number | undefined, refused?: string } & Partial<Footprint>} GrowthRow
 */

/** @param {Kind} kind @param {Size} size @returns {Promise<Footprint>} */
async function footprint(kind, size) {
  const sockets = socketDir();
  try {
    const vdev = (/** @type {number} */ i) =>
      `net_vhost${i},iface=${sockets.path(`s${i}`)},queues=${size.queues}`;
    const usual = await start(kind, size, vdev);
    await usual.quit();
    const program = await start(kind, size, vdev, { ordinary: true });
    const heap = await program.command('dump_socket_mem');
    // stdbuf becomes the program that it starts, so that the process is the same.
    const status = readFileSync(`/proc/${program.pid}/status`, 'utf8');
    await program.quit();
    const residentKiB = procKiB(status, 'VmRSS');
    return {
      startMs: usual.startMs,
      usedKiB: residentKiB - freeHeapKiB(heap),
      residentKiB,
      lockedKiB: procKiB(status, 'VmLck'),
    };
  } finally {
    sockets.remove();
  }
}

/** Mean time of `port attach` at the prompt, ms. @param {Kind} kind @param {number} count */
async function attachTime(kind, count) {
  const sockets = socketDir();
  /** @type {Program | undefined} */
  let program;
  try {
    program = await Program.start({ kind, vdevs: ['net_null0'], app: APP });
    const since = performance.now();
    for (let i = 0; i < count; i++)
      await program.command(`port attach net_vhost${i},iface=${sockets.path(`s${i}`)}`);
    return (performance.now() - since) / count;
  } finally {
    await program?.quit();
    sockets.remove();
  }
}

/** Cycles per packet of io between null ports on one lcore. @param {Kind} kind @param {Size} size */
async function packetCost(kind, size) {
  const program = await start(kind, size, (i) => `net_null${i}`);
  try {
    await program.command('set fwd io');
    return await recordedCycles(program, 'start', 1);
  } finally {
    await program.quit();
  }
}

/**
 * @param {Kind} kind
 * @param {Size} size
 * @returns {Promise<GrowthRow>} what could be measured; `refused` has the first line of why the rest could not
 */
async function measureSize(kind, size) {
  try {
    const print = await footprint(kind, size);
    return { kind, ...size, ...print, cycles: await packetCost(kind, size) };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { kind, ...size, refused: text.split('\n')[0] ?? '' };
  }
}

/**
 * Memory that one more port or queue takes, KiB: from the first to the last row that grew in it and was measured.
 * @param {GrowthRow[]} rows
 * @param {Kind} kind
 * @param {'ports' | 'queues'} what
 * @returns {number | undefined}
 */
export function memoryPer(rows, kind, what) {
  const other = what === 'ports' ? 'queues' : 'ports';
  const grown = rows.filter((row) => row.kind === kind && row[other] === 1 && row.usedKiB !== undefined);
  const [first, last] = [grown[0], grown.filter((row) => row[what] > 1).at(-1)];
  if (first?.usedKiB === undefined || last?.usedKiB === undefined) return undefined;
  return (last.usedKiB - first.usedKiB) / (last[what] - first[what]);
}

/** @param {import('./parts.mjs').Options} options @returns {Promise<import('./parts.mjs').PartResult>} */
export async function growthPart({ quick }) {
  const which = quick ? 'quick' : 'full';
  /** @type {Size[]} */
  const sizes = [
    ...PORTS[which].map((ports) => ({ ports, queues: 1 })),
    ...QUEUES[which].slice(1).map((queues) => ({ ports: 1, queues })),
  ];
  const progress = new Progress(sizes.length * KINDS.length);
  const rows = [];
  for (const size of sizes) {
    for (const kind of KINDS) {
      rows.push(await measureSize(kind, size));
      say(progress.step(`growth: ${kind}, ${size.ports} ports, ${size.queues} queues`));
    }
  }
  const attach = { ours: await attachTime('pollwire', 16), dpdk: await attachTime('dpdk', 16) };
  const refused = rows
    .filter((row) => row.refused)
    .map((row) => `${row.ports} × ${row.queues}: ${row.refused}`);
  const perUnit = {
    ports: { ours: memoryPer(rows, 'pollwire', 'ports'), dpdk: memoryPer(rows, 'dpdk', 'ports') },
    queues: { ours: memoryPer(rows, 'pollwire', 'queues'), dpdk: memoryPer(rows, 'dpdk', 'queues') },
  };
  const lines = [
    `A port is attached at the prompt in ${fixed(attach.ours, 1)} ms (ours) and ${fixed(attach.dpdk, 1)} ms (DPDK).`,
    ...Object.entries(perUnit).map(
      ([what, { ours, dpdk }]) =>
        `Memory for each of the ${what}: ${fixed(ours, 0)} KiB (ours), ${fixed(dpdk, 0)} KiB (DPDK).`,
    ),
  ];
  const text = [growthTable(rows), '', ...lines, FOOT, ...refused].join('\n');
  return { title: 'Growth', text, data: { rows, attach, perUnit } };
}

const FOOT = `The table is of net_vhost ports without a peer, with 32,768 mbufs in all; its last column is io between as many net_null ports
and queues on one lcore. Memory is that of a run without hugepages; memory in use leaves out what DPDK's heap has reserved and not given out.`;

/** @param {GrowthRow[]} rows */
function growthTable(rows) {
  const mib = (/** @type {number | undefined} */ kib) => fixed(kib === undefined ? undefined : kib / 1024, 1);
  return table(
    [
      'program',
      'ports',
      'queues',
      'prompt after ms',
      'in use MiB',
      'resident MiB',
      'locked MiB',
      'cycles/packet',
    ],
    rows.map((row) => [
      row.kind === 'dpdk' ? 'DPDK' : 'ours',
      row.ports,
      row.queues,
      fixed(row.startMs, 0),
      mib(row.usedKiB),
      mib(row.residentKiB),
      mib(row.lockedKiB),
      fixed(row.cycles, 1),
    ]),
  );
}
