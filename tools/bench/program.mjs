// @ts-check
// A testpmd at its prompt, DPDK's or ours. Both take the same arguments and the same commands, which is the point.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../lib/paths.mjs';
import { threadTimes } from './cpu-time.mjs';
import { hugepages, MEMORY_MIB } from './hugepages.mjs';
import { answerTo, tornAnswer } from './parse.mjs';
import { dpdkTestpmd } from './peer.mjs';

const OURS = join(ROOT, 'packages/testpmd/bin/testpmd.mjs');
const START_MS = 60_000;
const COMMAND_MS = 30_000;
/** When a complete answer has not been recognised by now, it was torn. */
const TORN_MS = 3000;
const QUIT_MS = 8000;
let serial = 0;

/**
 * @typedef {'pollwire' | 'dpdk'} Kind
 * @typedef {object} Start
 * @property {Kind} kind
 * @property {string[]} vdevs
 * @property {string[]} [app] arguments after `--`
 * @property {boolean} [ordinary] ordinary memory instead of hugepages; default: where there are too few of them
 * @property {0 | 1} [mainLcore] the lcore of the prompt; the other one forwards. Default 0.
 */

/** @param {Start} start */
function commandLine({ kind, vdevs, app = [], ordinary = !hugepages(), mainLcore = 0 }) {
  const devices = vdevs.flatMap((one) => ['--vdev', one]);
  const lcores = ['-l', '0,1', '--main-lcore', String(mainLcore)];
  // In DPDK, ordinary memory excludes --in-memory.
  const kindOfMemory = ordinary ? ['--no-huge', '--no-shconf'] : ['--in-memory', '--single-file-segments'];
  const common = [...lcores, ...kindOfMemory, '-m', String(MEMORY_MIB), '--no-pci'];
  const prefix = `--file-prefix=pwb${process.pid}n${++serial}`;
  // Events are printed by other threads, in the middle of an answer or of the prompt.
  const all = [...common, prefix, ...devices, '--', '-i', '--mask-event=all', ...app];
  // Without a line buffer DPDK's output stays where it is while no terminal reads it.
  return kind === 'dpdk' ? ['stdbuf', '-oL', dpdkTestpmd(), ...all] : [process.execPath, OURS, ...all];
}

export class Program {
  /** Both streams, for messages. */
  log = '';
  /** Standard output: answers are looked for here, where DPDK's log does not land in the middle of them. */
  #out = '';
  /** Milliseconds from the start to the first prompt. */
  startMs = 0;
  #read = 0;
  #child;
  #ended;

  /** @param {Start} start */
  constructor(start) {
    this.kind = start.kind;
    const [command = '', ...args] = commandLine(start);
    this.#child = spawn(command, args, { stdio: 'pipe', detached: true });
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve));
    // A program that cannot be started, or that has gone, shows in the next command.
    for (const end of [this.#child, this.#child.stdin])
      end.on('error', (error) => this.#append(`${error}\n`));
    this.#child.stderr.on('data', (chunk) => this.#append(String(chunk)));
    this.#child.stdout.on('data', (chunk) => {
      const text = String(chunk).replaceAll('\r', '');
      this.#out += text;
      this.#append(text);
    });
  }

  /** Starts it and waits for the prompt. @param {Start} start @throws Error with its output when there is none */
  static async start(start) {
    const program = new Program(start);
    const since = performance.now();
    await program.#answer(undefined, START_MS);
    program.startMs = performance.now() - since;
    return program;
  }

  /** @param {string} text */
  #append(text) {
    this.log += text;
  }

  get pid() {
    return /** @type {number} */ (this.#child.pid);
  }

  get alive() {
    return this.#child.exitCode === null && this.#child.signalCode === null && this.#child.pid !== undefined;
  }

  /** CPU nanoseconds of each thread so far. */
  threadTimes() {
    return threadTimes(this.pid);
  }

  /** Types a line and returns what it printed. @param {string} line */
  async command(line) {
    this.#read = this.#out.length;
    this.#child.stdin.write(`${line}\n`);
    return this.#answer(line, COMMAND_MS);
  }

  /** Waits until `command` prints something that matches. @param {string} line @param {RegExp} wanted @param {number} ms */
  async poll(line, wanted, ms) {
    const end = performance.now() + ms;
    for (;;) {
      const text = await this.command(line);
      if (wanted.test(text)) return text;
      if (performance.now() > end)
        throw new Error(`${this.kind}: "${line}" never printed ${wanted}:\n${text}`);
      await sleep(50);
    }
  }

  /** @param {string | undefined} line @param {number} ms @returns {Promise<string>} */
  async #answer(line, ms) {
    const began = performance.now();
    for (;;) {
      const waited = performance.now() - began;
      const answer =
        answerTo(this.#out, this.#read, line) ??
        (waited > TORN_MS ? tornAnswer(this.#out, this.#read) : undefined);
      if (answer !== undefined) return answer;
      if (waited > ms || !this.alive) {
        const when = line === undefined ? 'the start' : `"${line}"`;
        const how = this.alive ? `no prompt after ${when} for ${ms} ms` : `ended at ${when}`;
        const log = this.log.slice(-3000);
        await this.quit();
        throw new Error(`${this.kind}: ${how}:\n${log}`);
      }
      await sleep(2);
    }
  }

  /** Ends it, whatever state it is in. */
  async quit() {
    if (this.#child.pid === undefined) return;
    if (this.alive) this.#child.stdin.end('quit\n');
    const timer = setTimeout(() => {
      try {
        process.kill(-this.pid, 'SIGKILL');
      } catch {
        // Already gone.
      }
    }, QUIT_MS);
    await this.#ended;
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
