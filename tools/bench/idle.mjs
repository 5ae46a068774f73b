// @ts-check
// What an idle port costs in each idle mode, with a connected peer that says nothing, and what its first packet after that waits.
import { total, waitedForCpu } from './cpu-time.mjs';
import { generatorOn } from './latency.mjs';
import { PortProgram } from './port-program.mjs';
import { Program, sleep, socketDir } from './program.mjs';
import { say } from './progress.mjs';
import { fixed, table } from './table.mjs';

const MODES = /** @type {const} */ (['spin', 'adaptive', 'interrupt']);
/** Seconds of silence before the count begins: an adaptive loop spins on for a while, and code settles. */
const SETTLE = 2;

/** @param {typeof MODES[number]} mode @param {{ seconds: number, probes: number }} times */
async function measureMode(mode, { seconds, probes }) {
  const sockets = socketDir();
  /** @type {Program | undefined} */
  let program;
  /** @type {PortProgram | undefined} */
  let peer;
  try {
    const socket = sockets.path('vhost.sock');
    const app = ['--forward-mode=io', `--idle=${mode}`];
    program = await Program.start({ kind: 'pollwire', vdevs: [`net_vhost0,iface=${socket}`], app });
    peer = await PortProgram.start(generatorOn(socket, 'split'));
    await peer.ask('link');
    await program.command('start');
    await sleep(SETTLE * 1000);
    const before = program.threadTimes();
    const since = performance.now();
    await sleep(seconds * 1000);
    const cpu = total(before, program.threadTimes()) / 1e6 / (performance.now() - since);
    const waits = waitedForCpu(program.pid) + waitedForCpu(peer.pid);
    const probe = await peer.ask('probe', { count: probes, pause: 0.3, patience: 1 });
    const waitedMs = (waitedForCpu(program.pid) + waitedForCpu(peer.pid) - waits) / 1e6;
    return { mode, cpu, waitedMs, ...probe };
  } finally {
    await peer?.end();
    await program?.quit();
    sockets.remove();
  }
}

/** @param {import('./parts.mjs').Options} options @returns {Promise<import('./parts.mjs').PartResult>} */
export async function idlePart({ quick }) {
  const rows = [];
  for (const mode of MODES) {
    const row = await measureMode(mode, quick ? { seconds: 3, probes: 10 } : { seconds: 10, probes: 50 });
    say(
      `idle: ${mode}: ${fixed(100 * row.cpu, 1)} % of a core, first packet after ${fixed(row.max / 1000, 0)} us at most`,
    );
    rows.push(row);
  }
  const text = table(
    ['mode', 'CPU', 'first packet p50 us', 'at most us', 'sent', 'lost', 'without CPU ms'],
    rows.map((row) => [
      row.mode,
      `${fixed(100 * row.cpu, 1)} %`,
      fixed(row.p50 / 1000, 0),
      fixed(row.max / 1000, 0),
      row.sent,
      row.lost,
      fixed(row.waitedMs, 1),
    ]),
  );
  return { title: 'Idle port', text: `${text}\n\n${FOOT}`, data: rows };
}

const FOOT = `CPU of the whole process with one vhost port, its guest connected and silent. First packet: from the send to its return through the
port, 300 ms after the one before. Without CPU: in all of these, the threads of both programs were ready and others ran.`;
