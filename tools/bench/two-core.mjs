// @ts-check
// Two cores: a vhost testpmd and a virtio-user testpmd, one sends and the other receives. Either or both are the measured kind; the rate is
// read at the DPDK peer, or at the receiver where there is none.
import { existsSync } from 'node:fs';
import { mbufArgs, RING_ARGS } from './cells.mjs';
import { Program, sleep, socketDir } from './program.mjs';
import { readRate, recordedCycles } from './self-loop.mjs';

const LINK_MS = 15_000;

/**
 * @param {import('./program.mjs').Kind} kind
 * @param {import('./cells.mjs').TwoCore} cell
 * @param {import('./self-loop.mjs').Timing} timing `counted` is a number of one-second periods
 * @returns {Promise<import('./self-loop.mjs').Sample>} the best period; the cycles are those of the measured side, of the vhost side where
 *   both are
 */
export async function measureTwoCore(kind, cell, timing) {
  const sockets = socketDir();
  /** @type {Program[]} */
  const programs = [];
  try {
    const [vhost, virtio] = await open(kind, cell, sockets.path('vhost.sock'), programs);
    const measured = cell.role === 'virtio' ? virtio : vhost;
    const receiver = cell.direction === 'guest-to-host' ? vhost : virtio;
    const reader = cell.role === 'both' ? receiver : measured === vhost ? virtio : vhost;
    // The receiver first: a sender that finds the ring full measures nothing.
    for (const program of receiver === vhost ? [vhost, virtio] : [virtio, vhost])
      await program.command('start');
    await sleep(timing.warmUp * 1000);
    const rate = await bestRate(reader, reader === receiver ? 'Rx' : 'Tx', cell.size, timing.counted);
    return { rate, cycles: await recordedCycles(measured, 'start', timing.cycles) };
  } finally {
    for (const program of programs.reverse()) await program.quit();
    sockets.remove();
  }
}

/**
 * @param {import('./program.mjs').Kind} kind
 * @param {import('./cells.mjs').TwoCore} cell
 * @param {string} socket
 * @param {Program[]} programs gets what has been started, also when the rest fails
 * @returns {Promise<[Program, Program]>}
 */
async function open(kind, cell, socket, programs) {
  const toHost = cell.direction === 'guest-to-host';
  const app = (/** @type {boolean} */ sends) => [
    `--forward-mode=${sends ? 'txonly' : 'rxonly'}`,
    `--rxq=${cell.queues}`,
    `--txq=${cell.queues}`,
    ...mbufArgs(cell.size),
    // Behind the buffer size, with which DPDK compares it.
    ...(sends ? [`--txpkts=${cell.size}`] : []),
  ];
  const vhost = await Program.start({
    kind: cell.role === 'virtio' ? 'dpdk' : kind,
    vdevs: [`net_vhost0,iface=${socket},queues=${cell.queues}`],
    app: app(!toHost),
  });
  programs.push(vhost);
  if (!existsSync(socket)) throw new Error(`${vhost.kind}: no socket ${socket} at the prompt:\n${vhost.log}`);
  const virtio = await Program.start({
    kind: cell.role === 'vhost' ? 'dpdk' : kind,
    vdevs: [`net_virtio_user0,path=${socket},queues=${cell.queues},${RING_ARGS[cell.ring]}`],
    app: app(toHost),
    mainLcore: 1,
  });
  programs.push(virtio);
  for (const program of programs) await program.poll('show port info 0', /Link status: up/, LINK_MS);
  return [vhost, virtio];
}

/** @param {Program} reader @param {'Rx' | 'Tx'} direction @param {number} size @param {number} periods */
async function bestRate(reader, direction, size, periods) {
  await reader.command('show port stats all');
  let best = 0;
  for (let period = 0; period < periods; period++) {
    await sleep(1000);
    const screen = await reader.command('show port stats all');
    best = Math.max(best, readRate(reader.kind, screen, direction, size));
  }
  return best;
}
