// @ts-check
// The single-core self-loop: a vhost port and a virtio-user port of one testpmd, joined by their own socket and forwarded by one lcore.
// Needs no second core and no peer, so its rates are steady. The sum of both ports' receive rates counts, per second that the
// forwarding thread really ran: what else the machine does then hardly shows.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { RING_ARGS } from './cells.mjs';
import { sleep, socketDir } from './testpmd.mjs';

const OURS = fileURLToPath(new URL('../../packages/testpmd/bin/testpmd.mjs', import.meta.url));
const EAL = [
  '-l',
  '0,1',
  '--main-lcore',
  '0',
  '--in-memory',
  '-m',
  '512',
  '--no-pci',
  '--single-file-segments',
];
/** Seconds of forwarding before the counted ones, and the counted ones. */
const WARM_UP = 2;
const COUNTED = 4;

/** A testpmd at its prompt. */
class Prompt {
  log = '';
  #child;

  /** @param {string} command @param {string[]} args */
  constructor(command, args) {
    this.#child = spawn(command, args, { stdio: 'pipe', detached: true });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.on('data', (chunk) => {
        this.log += String(chunk);
      });
    }
  }

  /** CPU ticks that each thread has used so far, by thread id. @returns {Map<string, number>} */
  threadTicks() {
    const tasks = `/proc/${this.#child.pid}/task`;
    return new Map(
      readdirSync(tasks).map((id) => {
        const fields = readFileSync(`${tasks}/${id}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
        // utime and stime of proc(5), counted after the command's name.
        return [id, Number(fields[11]) + Number(fields[12])];
      }),
    );
  }

  /** @param {string} line @param {number} seconds to wait afterwards */
  async type(line, seconds) {
    this.#child.stdin.write(`${line}\n`);
    await sleep(seconds * 1000);
  }

  async quit() {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin.end('quit\n');
    const timer = setTimeout(() => process.kill(-(/** @type {number} */ (this.#child.pid)), 'SIGKILL'), 8000);
    await ended;
    clearTimeout(timer);
  }
}

/** The part of `ms` that the busiest thread ran. @param {Map<string, number>} before @param {Map<string, number>} after @param {number} ms */
function busiestShare(before, after, ms) {
  const ticks = [...after].map(([id, now]) => now - (before.get(id) ?? 0));
  const TICKS_PER_SECOND = 100;
  return Math.min(1, Math.max(...ticks) / TICKS_PER_SECOND / (ms / 1000));
}

/**
 * @param {import('./testpmd.mjs').Kind} kind
 * @param {import('./cells.mjs').SelfLoop} cell
 * @returns {Promise<number>} packets per second, both ports together
 */
export async function measureSelfLoop(kind, cell) {
  const sockets = socketDir();
  const socket = sockets.path('loop.sock');
  const vhost = `net_vhost0,iface=${socket}`;
  const virtio = `net_virtio_user0,path=${socket},${RING_ARGS[cell.ring]}`;
  const app = ['--', '-i', '--total-num-mbufs=32768'];
  const prompt =
    kind === 'dpdk'
      ? new Prompt('stdbuf', [
          '-oL',
          'dpdk-testpmd',
          ...EAL,
          `--file-prefix=pwl${process.pid}`,
          '--vdev',
          vhost,
          ...app,
          '--no-lsc-interrupt',
          '--disable-link-check',
        ])
      : new Prompt(process.execPath, [OURS, ...EAL, '--vdev', vhost, '--vdev', virtio, ...app]);
  try {
    await sleep(3000);
    if (kind === 'dpdk') {
      // DPDK makes its socket when the port is configured, so that the other side can only be attached afterwards.
      await prompt.type('port stop 0', 0.5);
      await prompt.type(`port attach ${virtio}`, 2);
      await prompt.type('port start all', 2);
    }
    await prompt.type(`set fwd ${cell.engine}`, 0.1);
    if (cell.size !== 64) await prompt.type(`set txpkts ${cell.size}`, 0.1);
    await prompt.type('start tx_first 4', WARM_UP);
    await prompt.type('show port stats all', 0.1);
    const before = prompt.threadTicks();
    const since = performance.now();
    await sleep(COUNTED * 1000);
    const share = busiestShare(before, prompt.threadTicks(), performance.now() - since);
    const from = prompt.log.length;
    await prompt.type('show port stats all', 0.5);
    const rates = [...prompt.log.slice(from).matchAll(/Rx-pps:\s*(\d+)/g)].map(([, rate]) => Number(rate));
    if (rates.length < 2 || rates.every((rate) => rate === 0))
      throw new Error(`no traffic in the self-loop:\n${prompt.log.slice(-3000)}`);
    return rates.reduce((sum, rate) => sum + rate, 0) / share;
  } finally {
    await prompt.quit();
    sockets.remove();
  }
}
