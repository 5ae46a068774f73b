// @ts-check
// Starts a testpmd (DPDK's or ours) for the benchmark and reads its rates. Both take the same arguments, which is the point.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const OURS = fileURLToPath(new URL('../../packages/testpmd/bin/testpmd.mjs', import.meta.url));

/**
 * @typedef {'pollwire' | 'dpdk'} Kind
 * @typedef {{ kind: Kind, vdev: string[], app: string[], mainLcore: 0 | 1, prefix: string, memory?: number }} Start
 */

/** A running testpmd whose periodic port statistics are collected. */
export class Testpmd {
  /** Packets per second of each period since the start: [Rx, Tx] summed over ports. @type {[number, number][]} */
  periods = [];
  log = '';
  #child;
  #rx = 0;
  #tx = 0;

  /** @param {Start} start */
  constructor({ kind, vdev, app, mainLcore, prefix, memory = 512 }) {
    const devices = vdev.flatMap((one) => ['--vdev', one]);
    const eal = [
      '-l',
      '0,1',
      '--main-lcore',
      String(mainLcore),
      '--in-memory',
      '-m',
      String(memory),
      '--no-pci',
    ];
    const common = [...eal, `--file-prefix=${prefix}`, '--single-file-segments', ...devices, '--', ...app];
    const period = ['--stats-period', '1', '--total-num-mbufs=32768'];
    const [command, args] =
      kind === 'dpdk'
        ? ['dpdk-testpmd', [...common, ...period]]
        : [process.execPath, [OURS, ...common, ...period]];
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    this.#child.stdout.on('data', (chunk) => this.#read(String(chunk)));
    this.#child.stderr.on('data', (chunk) => {
      this.log += String(chunk);
    });
  }

  get alive() {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** @param {string} text */
  #read(text) {
    this.log = (this.log + text).slice(-20_000);
    for (const [, direction, rate] of text.matchAll(/(Rx|Tx)-pps:\s*(\d+)/g)) {
      if (direction === 'Rx') this.#rx += Number(rate);
      else this.#tx += Number(rate);
    }
    // A period ends where the statistics of the last port do; one read holds one flush.
    if (/Tx-pps/.test(text)) {
      this.periods.push([this.#rx, this.#tx]);
      this.#rx = 0;
      this.#tx = 0;
    }
  }

  /** @param {NodeJS.Signals} signal */
  #signal(signal) {
    try {
      process.kill(-(/** @type {number} */ (this.#child.pid)), signal);
    } catch {
      // Already gone.
    }
  }

  async stop() {
    if (!this.alive) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#signal('SIGINT');
    const timer = setTimeout(() => this.#signal('SIGKILL'), 5000);
    await ended;
    clearTimeout(timer);
  }
}

/** @param {number} ms */
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A directory for sockets, removed by `remove()`. */
export function socketDir() {
  const dir = mkdtempSync(join(tmpdir(), 'pw-bench-'));
  return {
    path: (/** @type {string} */ name) => join(dir, name),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}
