/** frame-ends.ts as a process of a scope: starts it, sends requests, reads answers. */
import { join } from 'node:path';
import type { ManagedProcess } from '../harness/process.js';
import type { Scope } from '../harness/scope.js';
import type { EndsOptions, Request, RunResult } from './frame-ends.js';
import type { FrameOrder } from './frame-poll.js';

/** Longest a run may take: its own stall limit, and time to work. */
const runMs = 20_000;

export class FrameProgram {
  readonly #process: ManagedProcess;

  private constructor(process: ManagedProcess) {
    this.#process = process;
  }

  /** Starts it and waits until its ports are started; links may still be down. */
  static async start(scope: Scope, name: string, options: EndsOptions): Promise<FrameProgram> {
    const args = [join(import.meta.dirname, 'frame-ends.js'), JSON.stringify(options)];
    const program = new FrameProgram(scope.start({ name, command: process.execPath, args }));
    await program.#answer('ready', 0);
    return program;
  }

  /** Waits until all links are up; the feature words of the ports with their names, by port id. */
  links(): Promise<string[]> {
    return this.#ask('links', { op: 'links' });
  }

  /** Begins a run; `done` is its result. Resolves once the lcore polls. */
  async run(order: FrameOrder): Promise<{ done: Promise<RunResult> }> {
    const from = this.#process.text.length;
    this.#write({ op: 'run', order });
    await this.#answer('running', from);
    const done = this.#answer<RunResult>('result', from);
    // Whoever waits for it may be busy with another process that has just failed.
    done.catch(() => undefined);
    return { done };
  }

  /** Stops the ports and ends; the pool as it was then. */
  async end(): Promise<{ free: number; size: number }> {
    const pool = await this.#ask<{ free: number; size: number }>('end', { op: 'end' });
    const { code, signal } = await this.#process.exited;
    if (code !== 0) throw new Error(`${this.#process.name} ended with ${signal ?? `status ${code}`}`);
    return pool;
  }

  #ask<T>(name: string, request: Request): Promise<T> {
    const from = this.#process.text.length;
    this.#write(request);
    return this.#answer<T>(name, from);
  }

  #write(request: Request): void {
    this.#process.write(`${JSON.stringify(request)}\n`);
  }

  async #answer<T>(name: string, from: number): Promise<T> {
    const match = await this.#process.waitFor(new RegExp(`^${name} (.*)\\n`, 'm'), runMs, from);
    return JSON.parse(match[1] as string) as T;
  }
}
