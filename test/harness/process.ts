/**
 * A child process of a test: its own process group, its output kept as text, stopped by pid. Whatever happens to the
 * test runner, the child goes with it (exit handler, signals, and the kernel's parent-death signal for kill -9).
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { stripVTControlCharacters } from 'node:util';
import { findProgram } from './paths.js';
import { fdCount, fdTargets, mapCount, rssKiB, sharedFileMaps } from './proc-info.js';
import { DeadlineError } from './wait.js';

export interface StartOptions {
  /** Short name for messages, e.g. `back-end`. */
  name: string;
  command: string;
  args: readonly string[];
  cwd?: string;
  env?: Record<string, string>;
}

export interface ExitStatus {
  code: number | null;
  signal: NodeJS.Signals | null;
}

const running = new Set<ManagedProcess>();
let exitHooks = false;

function installExitHooks(): void {
  if (exitHooks) return;
  exitHooks = true;
  const killAll = () => {
    for (const child of running) child.signal('SIGKILL');
  };
  process.once('exit', killAll);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.once(signal, () => {
      killAll();
      process.kill(process.pid, signal);
    });
  }
}

export class ManagedProcess {
  readonly name: string;
  readonly commandLine: string;
  /** Resolves when the process is gone, however that came about. */
  readonly exited: Promise<ExitStatus>;
  #child: ChildProcess;
  #text = '';
  #status: ExitStatus | undefined;
  #watchers = new Set<() => void>();

  /** Starts a process. Its standard output and standard error go into one log, in order of arrival. */
  static start(options: StartOptions): ManagedProcess {
    return new ManagedProcess(options);
  }

  private constructor(options: StartOptions) {
    installExitHooks();
    this.name = options.name;
    this.commandLine = [options.command, ...options.args].join(' ');
    const setpriv = findProgram('setpriv');
    // One pipe for both outputs keeps their order. Each step replaces itself, so the pid stays the one of spawn.
    const argv = ['/bin/sh', '-c', 'exec "$0" "$@" 2>&1', options.command, ...options.args];
    if (setpriv !== undefined) argv.unshift(setpriv, '--pdeathsig', 'KILL', '--');
    this.#child = spawn(argv[0] as string, argv.slice(1), {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true,
    });
    this.#child.stdout?.setEncoding('utf8');
    this.#child.stdout?.on('data', (chunk: string) => this.#append(chunk));
    // Writing to a process that has just died is not an error of the test.
    this.#child.stdin?.on('error', () => {});
    running.add(this);
    this.exited = new Promise((resolve) => {
      const finish = (status: ExitStatus) => {
        if (this.#status !== undefined) return;
        this.#status = status;
        running.delete(this);
        this.#wake();
        resolve(status);
      };
      this.#child.once('error', (error) => {
        this.#append(`cannot start ${options.command}: ${error.message}\n`);
        finish({ code: 127, signal: null });
      });
      this.#child.once('close', (code, signal) => finish({ code, signal }));
    });
  }

  /** Process id, also the id of its process group. */
  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get alive(): boolean {
    return this.#status === undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Everything written so far, terminal control sequences removed, lines ended by \n alone. */
  get text(): string {
    return this.#text;
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /**
   * Waits until the output from position `from` on matches; the match's `index` counts from the start of the output.
   *
   * @throws DeadlineError after `timeoutMs`; Error when the process ends first
   */
  waitFor(pattern: RegExp, timeoutMs: number, from = 0): Promise<RegExpExecArray> {
    const search = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
    return this.waitText(`${pattern}`, timeoutMs, (text) => {
      const match = search.exec(text.slice(from));
      if (match !== null) match.index += from;
      return match ?? undefined;
    });
  }

  /** As {@link waitFor}, with a function that looks at the whole output whenever some was added. */
  waitText<T>(what: string, timeoutMs: number, probe: (text: string) => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const done = (act: () => void) => {
        clearTimeout(timer);
        this.#watchers.delete(check);
        act();
      };
      const check = () => {
        const found = probe(this.#text);
        if (found !== undefined) {
          done(() => resolve(found));
        } else if (this.#status !== undefined) {
          const { code, signal } = this.#status;
          done(() => reject(new Error(`${this.name} ended (${signal ?? `status ${code}`}) before ${what}`)));
        }
      };
      const timer = setTimeout(
        () => done(() => reject(new DeadlineError(`${this.name}: ${what}`, timeoutMs))),
        timeoutMs,
      );
      this.#watchers.add(check);
      check();
    });
  }

  /** Sends a signal to the whole process group. */
  signal(signal: NodeJS.Signals): void {
    if (!this.alive || this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, signal);
    } catch {
      // The group is gone already.
    }
  }

  /** Asks the process to end, then kills it after `graceMs`. Returns once it is gone. */
  async stop(graceMs = 5000): Promise<ExitStatus> {
    this.#child.stdin?.end();
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), graceMs);
    const status = await this.exited;
    clearTimeout(timer);
    return status;
  }

  /** kill -9, and waits until the kernel has reaped it. */
  async kill(): Promise<ExitStatus> {
    this.signal('SIGKILL');
    return this.exited;
  }

  fdCount(): number {
    return fdCount(this.pid);
  }

  fdTargets(): string[] {
    return fdTargets(this.pid);
  }

  mapCount(): number {
    return mapCount(this.pid);
  }

  sharedFileMaps(): string[] {
    return sharedFileMaps(this.pid);
  }

  rssKiB(): number {
    return rssKiB(this.pid);
  }

  #append(chunk: string): void {
    this.#text += stripVTControlCharacters(chunk).replaceAll('\r', '');
    this.#wake();
  }

  #wake(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}
