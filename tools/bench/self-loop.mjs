// @ts-check
// The single-core self-loop: a vhost port and a virtio-user port of one testpmd, joined by their own socket and forwarded by one lcore.
// Needs no second core and no peer, so its rates are steady. The sum of both ports' receive rates counts, per second that the
// forwarding thread really ran: what else the machine does then hardly shows.
import { mbufArgs, RING_ARGS } from './cells.mjs';
import { busiest } from './cpu-time.mjs';
import { cyclesPerPacket, meanFrame, portRate } from './parse.mjs';
import { Program, sleep, socketDir } from './program.mjs';

/**
 * @typedef {{ warmUp: number, counted: number, cycles: number }} Timing seconds before what counts, of what counts, and for the cycles
 *   (0: they are not measured)
 * @typedef {{ rate: number, cycles?: number | undefined }} Sample packets per second, TSC cycles per packet
 */

/**
 * @param {import('./program.mjs').Kind} kind
 * @param {import('./cells.mjs').SelfLoop} cell
 * @param {Timing} timing
 * @returns {Promise<Sample>} both ports together
 */
export async function measureSelfLoop(kind, cell, timing) {
  const sockets = socketDir();
  /** @type {Program | undefined} */
  let program;
  try {
    program = await open(kind, cell, sockets.path('loop.sock'));
    await program.command(`set fwd ${cell.engine}`);
    if (cell.size !== 64) await program.command(`set txpkts ${cell.size}`);
    await program.command('start tx_first 4');
    const rate = await countedRate(program, cell, timing);
    return { rate, cycles: await recordedCycles(program, 'start tx_first 4', timing.cycles) };
  } finally {
    await program?.quit();
    sockets.remove();
  }
}

/** @param {import('./program.mjs').Kind} kind @param {import('./cells.mjs').SelfLoop} cell @param {string} socket */
async function open(kind, cell, socket) {
  const vhost = `net_vhost0,iface=${socket},queues=${cell.queues}`;
  const virtio = `net_virtio_user0,path=${socket},queues=${cell.queues},${RING_ARGS[cell.ring]}`;
  const app = [`--rxq=${cell.queues}`, `--txq=${cell.queues}`, ...mbufArgs(cell.size)];
  if (kind === 'pollwire') return Program.start({ kind, vdevs: [vhost, virtio], app });
  const program = await Program.start({
    kind,
    vdevs: [vhost],
    app: [...app, '--no-lsc-interrupt', '--disable-link-check'],
  });
  // DPDK makes its socket when the port is configured, so that the other side can only be attached afterwards.
  await program.command('port stop 0');
  await program.command(`port attach ${virtio}`);
  if (cell.queues > 1) {
    await program.command(`port config all rxq ${cell.queues}`);
    await program.command(`port config all txq ${cell.queues}`);
  }
  await program.command('port start all');
  return program;
}

/** @param {Program} program @param {import('./cells.mjs').SelfLoop} cell @param {Timing} timing */
async function countedRate(program, { size }, { warmUp, counted }) {
  await sleep(warmUp * 1000);
  await program.command('show port stats all');
  const share = await ranWhile(program, () => sleep(counted * 1000));
  const rate = readRate(program.kind, await program.command('show port stats all'), 'Rx', size);
  return rate / share;
}

/**
 * The rate on a `show port stats` screen.
 * @param {string} who
 * @param {string} screen
 * @param {'Rx' | 'Tx'} direction
 * @param {number} size
 * @throws Error when nothing moves, or frames of another size do
 */
export function readRate(who, screen, direction, size) {
  const rate = portRate(screen, direction);
  if (!(rate > 0)) throw new Error(`${who}: no traffic:\n${screen}`);
  const mean = meanFrame(screen, direction === 'Rx' ? 'RX' : 'TX');
  // The counters of a running port are read one after the other.
  if (!(Math.abs(mean - size) < size / 100))
    throw new Error(`${who}: frames of ${mean} bytes on average, not of ${size}:\n${screen}`);
  return rate;
}

/**
 * Forwards once more with the cycles recorded: reading the clock each turn would show in the rate.
 * @param {Program} program
 * @param {string} start the command that starts it
 * @param {number} seconds 0: not at all
 */
export async function recordedCycles(program, start, seconds) {
  if (seconds === 0) return undefined;
  await program.command('stop');
  await program.command('set record-core-cycles on');
  await program.command(start);
  const share = await ranWhile(program, () => sleep(seconds * 1000));
  const cycles = cyclesPerPacket(await program.command('stop'));
  // The clock goes on while the machine does something else.
  return cycles === undefined ? undefined : cycles * share;
}

/** The share of the time of `work` in which the busiest thread of the program ran. @param {Program} program @param {() => Promise<unknown>} work */
async function ranWhile(program, work) {
  const before = program.threadTimes();
  const since = performance.now();
  await work();
  return Math.min(1, busiest(before, program.threadTimes()) / 1e6 / (performance.now() - since));
}
