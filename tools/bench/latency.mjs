// @ts-check
// Round trips through a vhost port at 10, 50 and 90 % of the most that the program itself forwards: a generator of ours on a virtio-user
// port, on a core of its own, against a testpmd (ours, then DPDK's, in the same place) that sends each frame back where it came from.
import { RING_ARGS } from './cells.mjs';
import { PortProgram } from './port-program.mjs';
import { Program, socketDir } from './program.mjs';
import { Progress, say } from './progress.mjs';
import { fixed, millions, table } from './table.mjs';

const SHARES = [0.1, 0.5, 0.9];
const SIZE = 64;
const KINDS = /** @type {const} */ (['pollwire', 'dpdk']);
/** The pieces of a run, seconds. */
const FULL = { warmUp: 2, seconds: 10 };
const QUICK = { warmUp: 0.5, seconds: 2 };

/** A virtio-user port of ours in front of a socket. @param {string} socket @param {import('./cells.mjs').Ring} ring */
export const generatorOn = (socket, ring) => ({
  vdev: `net_virtio_user0,path=${socket},${RING_ARGS[ring]}`,
  // The program under test forwards on CPU 1.
  mainLcore: /** @type {const} */ (1),
});

/**
 * What a program forwards at most: as many frames as the rings take, those that come back count.
 * @param {PortProgram} generator
 * @param {{ warmUp: number, seconds: number }} times
 */
export async function maximalLoad(generator, { warmUp, seconds }) {
  const order = { size: SIZE, rate: 0, warmUp, seconds: Math.min(seconds, 3) };
  const { received } = await generator.ask('load', order);
  return received / order.seconds;
}

/**
 * @param {import('./program.mjs').Kind} kind
 * @param {import('./cells.mjs').Ring} ring
 * @param {{ warmUp: number, seconds: number }} times
 * @param {(what: string) => void} onStep
 */
async function measureKind(kind, ring, times, onStep) {
  const sockets = socketDir();
  /** @type {Program | undefined} */
  let program;
  /** @type {PortProgram | undefined} */
  let generator;
  try {
    const socket = sockets.path('vhost.sock');
    program = await Program.start({
      kind,
      vdevs: [`net_vhost0,iface=${socket}`],
      app: ['--forward-mode=io'],
    });
    generator = await PortProgram.start(generatorOn(socket, ring));
    await generator.ask('link');
    await program.command('start');
    const most = await maximalLoad(generator, times);
    onStep(`${ring}, ${kind}: at most ${millions(most)} M/s`);
    const loads = [];
    for (const share of SHARES) {
      const rate = share * most;
      const result = await generator.ask('load', { size: SIZE, rate, ...times });
      onStep(`${ring}, ${kind} at ${share * 100} %: p99 ${fixed(result.p99 / 1000, 1)} us`);
      const returned = result.received / times.seconds;
      loads.push({ ring, kind, share, rate, returned, ...result, lost: result.sent - result.received });
    }
    return loads;
  } finally {
    await generator?.end();
    await program?.quit();
    sockets.remove();
  }
}

/** @param {import('./parts.mjs').Options} options @returns {Promise<import('./parts.mjs').PartResult>} */
export async function latencyPart({ quick }) {
  /** @type {import('./cells.mjs').Ring[]} */
  const rings = quick ? ['split'] : ['split', 'packed'];
  const progress = new Progress(rings.length * KINDS.length * (1 + SHARES.length));
  const rows = [];
  for (const ring of rings) {
    for (const kind of KINDS) {
      rows.push(...(await measureKind(kind, ring, quick ? QUICK : FULL, (what) => say(progress.step(what)))));
    }
  }
  return { title: 'Round trips', text: `${latencyTable(rows)}\n\n${FOOT}`, data: rows };
}

const FOOT = `Microseconds from the moment at which a frame of ${SIZE} bytes was due until it was back. The load is a share of what the same
program sends back when the rings are kept full, by this generator.`;

/** @param {Awaited<ReturnType<typeof measureKind>>} rows */
function latencyTable(rows) {
  const us = (/** @type {number} */ ns) => fixed(ns / 1000, 1);
  return table(
    ['program', 'load', 'M/s back', 'p50', 'p99', 'p99.9', 'max', 'lost'],
    rows.map((row) => [
      `${row.ring}, ${row.kind === 'dpdk' ? 'DPDK' : 'ours'}`,
      `${Math.round(row.share * 100)} %`,
      millions(row.returned),
      us(row.p50),
      us(row.p99),
      us(row.p999),
      us(row.max),
      row.lost,
    ]),
  );
}
