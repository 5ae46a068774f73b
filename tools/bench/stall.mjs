// @ts-check
// The longest stall of our forwarding loop: the gaps between two of its turns at half of its maximal load, and beside them what the machine
// does by itself to a bare loop on the same core right before and after.
import { readFileSync } from 'node:fs';
import { waitedForCpu } from './cpu-time.mjs';
import { generatorOn, maximalLoad } from './latency.mjs';
import { runNative } from './native-program.mjs';
import { PortProgram } from './port-program.mjs';
import { socketDir } from './program.mjs';
import { say } from './progress.mjs';
import { fixed, millions, table } from './table.mjs';

const LIMIT_US = 200;
const CPU = 1;
const FULL = { warmUp: 2, seconds: 60 };
const QUICK = { warmUp: 1, seconds: 5 };

/** Time that a hypervisor took from a CPU, ms: the eighth number of its line, in ticks of 10 ms (proc(5)). @param {number} cpu */
function stolenMs(cpu) {
  const line = new RegExp(`^cpu${cpu} (.*)$`, 'm').exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? '';
  return Number(line.split(' ')[7] ?? 0) * 10;
}

/** @param {number} seconds @returns {Promise<{ longestUs: number, above: number, seconds: number }>} */
async function bareLoop(seconds) {
  const [gaps] = await runNative('gaps', [String(CPU), String(seconds), String(LIMIT_US)]);
  return gaps;
}

/** @param {import('./parts.mjs').Options} options @returns {Promise<import('./parts.mjs').PartResult>} */
export async function stallPart({ quick }) {
  const { warmUp, seconds } = quick ? QUICK : FULL;
  const sockets = socketDir();
  /** @type {PortProgram | undefined} */
  let forwarder;
  /** @type {PortProgram | undefined} */
  let generator;
  try {
    const socket = sockets.path('vhost.sock');
    forwarder = await PortProgram.start({ vdev: `net_vhost0,iface=${socket}`, mainLcore: 0 });
    generator = await PortProgram.start(generatorOn(socket, 'split'));
    await generator.ask('link');
    const order = { limitUs: LIMIT_US, warmUp };
    await forwarder.ask('forward', order);
    const rate = 0.5 * (await maximalLoad(generator, { warmUp, seconds }));
    await forwarder.ask('stop');
    say(
      `stall: a bare loop for ${seconds / 2} s, forwarding ${millions(rate)} M/s for ${seconds} s, a bare loop again`,
    );
    const before = await bareLoop(seconds / 2);
    const stolen = stolenMs(CPU);
    const waited = waitedForCpu(forwarder.pid);
    await forwarder.ask('forward', order);
    const load = await generator.ask('load', { size: 64, rate, warmUp, seconds });
    const gaps = await forwarder.ask('stop');
    const machine = {
      stolenMs: stolenMs(CPU) - stolen,
      waitedMs: (waitedForCpu(forwarder.pid) - waited) / 1e6,
    };
    const after = await bareLoop(seconds / 2);
    const bare = {
      longestUs: Math.max(before.longestUs, after.longestUs),
      above: before.above + after.above,
      seconds: before.seconds + after.seconds,
    };
    const data = { rate, seconds, forwarding: { ...gaps, ...machine }, bare, load };
    return { title: 'Longest stall', text: `${stallTable(data)}\n\n${FOOT}`, data };
  } finally {
    await generator?.end();
    await forwarder?.end();
    sockets.remove();
  }
}

const FOOT = `Gaps between two turns of a loop on the same core. The bare loop only reads the clock: what it sees is the machine's own
doing. Without CPU: our threads were ready and others ran. Stolen: the hypervisor ran something else.`;

/** @param {{ rate: number, seconds: number, forwarding: any, bare: any }} data */
function stallTable({ rate, seconds, forwarding, bare }) {
  return table(
    ['loop', 'seconds', 'longest gap us', `gaps above ${LIMIT_US} us`, 'without CPU ms', 'stolen ms'],
    [
      [
        `our io at ${millions(rate)} M/s`,
        seconds,
        fixed(forwarding.longestUs, 0),
        forwarding.above,
        fixed(forwarding.waitedMs, 1),
        forwarding.stolenMs,
      ],
      ['a bare loop', bare.seconds, fixed(bare.longestUs, 0), bare.above, '', ''],
    ],
  );
}
