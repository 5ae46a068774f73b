/**
 * One test's belongings: a temporary folder and everything started in it. Closing stops all of it in reverse order, and
 * `report` gives the tails of the logs for a failure message. `scenario` (scenario.ts) makes one per test.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tail, withoutPolling } from './log-text.js';
import type { StartOptions } from './process.js';
import { ManagedProcess } from './process.js';

export class Scope {
  /** Temporary folder, removed on close. Short: socket paths below it stay under 107 bytes. */
  readonly dir: string;
  #processes: ManagedProcess[] = [];
  #reports: Array<() => string> = [];
  #cleanups: Array<() => void | Promise<void>> = [];

  constructor() {
    this.dir = mkdtempSync(join(tmpdir(), 'pw-'));
  }

  /** A path in the temporary folder. */
  path(name: string): string {
    return join(this.dir, name);
  }

  /** Starts a process that ends with the scope. */
  start(options: StartOptions): ManagedProcess {
    const started = ManagedProcess.start(options);
    this.#processes.push(started);
    this.#cleanups.push(() => started.stop().then(() => {}));
    return started;
  }

  /** Runs `cleanup` when the scope closes, before what was registered earlier. */
  onClose(cleanup: () => void | Promise<void>): void {
    this.#cleanups.push(cleanup);
  }

  /** Adds a section to the failure report. */
  onReport(section: () => string): void {
    this.#reports.push(section);
  }

  /** Command lines and log tails of all processes, for the message of a failed test. */
  report(lines = 30): string {
    // Of many short-lived front-ends only the last few say anything.
    const processes = this.#processes.slice(0, 2).concat(this.#processes.slice(2).slice(-4));
    return [
      ...processes.map(
        (p) => `--- ${p.name} (pid ${p.pid}): ${p.commandLine}\n${tail(withoutPolling(p.text), lines)}`,
      ),
      ...this.#reports.map((section) => section()),
    ].join('\n');
  }

  /** Kills every process at once; used when a deadline has passed and something may be stuck. */
  async killAll(): Promise<void> {
    await Promise.all(this.#processes.map((p) => p.kill()));
  }

  async close(): Promise<void> {
    for (const cleanup of this.#cleanups.reverse()) await cleanup();
    this.#cleanups = [];
    rmSync(this.dir, { recursive: true, force: true });
  }
}
