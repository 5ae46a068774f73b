// @ts-check
// test/bench/port-program.ts as a process: one port of ours that sends a load, probes, or forwards and watches its own turns.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ROOT } from '../lib/paths.mjs';

const PROGRAM = join(ROOT, 'test/dist/bench/port-program.js');
const END_MS = 5000;

export class PortProgram {
  #child;
  #lines;
  #ended;
  #errors = '';

  /** @param {{ vdev: string, mainLcore: 0 | 1 }} options */
  constructor(options) {
    this.#child = spawn(process.execPath, [PROGRAM, JSON.stringify(options)], { stdio: 'pipe' });
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.on('error', (error) => {
      this.#errors += String(error);
    });
    this.#child.stdin.on('error', () => {});
    this.#child.stderr.on('data', (chunk) => {
      this.#errors += String(chunk);
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Starts it and waits until its port is started. @param {{ vdev: string, mainLcore: 0 | 1 }} options */
  static async start(options) {
    const program = new PortProgram(options);
    await program.#answer('ready');
    return program;
  }

  get pid() {
    return /** @type {number} */ (this.#child.pid);
  }

  /**
   * Sends a request and waits for its answer.
   * @param {'link' | 'load' | 'probe' | 'forward' | 'stop'} op
   * @param {object} [order]
   * @returns {Promise<any>}
   */
  async ask(op, order) {
    this.#child.stdin.write(`${JSON.stringify({ op, order })}\n`);
    return this.#answer(op);
  }

  /** @param {string} name */
  async #answer(name) {
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) {
        await this.#ended;
        throw new Error(
          `the program with a port of ours ended before its answer to "${name}":\n${this.#errors}`,
        );
      }
      if (value.startsWith(`${name} `)) return JSON.parse(value.slice(name.length + 1));
    }
  }

  async end() {
    if (this.#child.pid === undefined) return;
    this.#child.stdin.end('{"op":"end"}\n');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), END_MS);
    await this.#ended;
    clearTimeout(timer);
  }
}
