/**
 * A worker lcore as the main isolate sees it: owns its Worker, launches poll functions on it, stops them, reads their counters. Made by
 * Eal. The Worker is created at the first launch, kept for later ones, and keeps the process alive only while it polls.
 */
import { Worker } from 'node:worker_threads';
import { native, PollwireError } from '@pollwire/native';
import { threadExecArgv } from './exec-argv.js';
import type { IdleMode } from './idle.js';
import { IDLE_MODES } from './idle.js';
import type { LcoreStats } from './lcore-block.js';
import { CONTROL, LcoreBlock } from './lcore-block.js';
import type { LcoreSpec } from './lcore-list.js';
import type { ErrorData, FromWorker, ToWorker, WorkerInit, World } from './lcore-protocol.js';
import type { LogLevel } from './log.js';
import { moduleUrl } from './module-path.js';
import type { QueueView } from './queue-ref.js';
import { Run } from './run.js';

export interface LaunchOptions {
  /** What to do when a turn finds nothing. Default 'spin'. */
  idle?: IdleMode | undefined;
  /** Count TSC cycles of busy and of all turns (costs about 40 ns per turn). Default false. */
  cycles?: boolean | undefined;
}

/** What Lcore needs from Eal. */
export interface LcoreHost {
  /** Heap limit of its thread, MiB. */
  readonly heap: number | undefined;
  world(): World;
  log(logger: string, level: LogLevel, text: string): void;
  scriptFailed(view: QueueView, error: PollwireError): void;
  lcoreFailed(lcore: Lcore, error: PollwireError): void;
  /** A run is over: whatever waited for it can be freed. */
  runEnded(run: Run<unknown>): void;
}

const WORKER_FILE = new URL('./lcore-worker.js', import.meta.url);
/** How long a poll function may take to come back from a turn before its thread is ended. */
const STOP_TIMEOUT_MS = 2000;

export class Lcore {
  readonly id: number;
  /** CPUs it may run on; it is pinned to the first. */
  readonly cpus: readonly number[];
  private readonly block: LcoreBlock;
  private worker: Worker | undefined;
  private run: Run<unknown> | undefined;

  /** @internal */
  constructor(
    spec: LcoreSpec,
    readonly cpu: number,
    private readonly host: LcoreHost,
  ) {
    this.id = spec.id;
    this.cpus = spec.cpus;
    this.block = LcoreBlock.create(spec.id);
  }

  /** The present run, until its end has been reported. */
  get current(): Run<unknown> | undefined {
    return this.run;
  }

  get polling(): boolean {
    return this.run !== undefined;
  }

  /** Counters since the last launch, at any time. */
  stats(): LcoreStats {
    return this.block.stats();
  }

  /**
   * Runs the poll function that `module` exports by default.
   *
   * @param module URL (`new URL('./my-poll.js', import.meta.url)`), path or package specifier
   * @param data given to it as ctx.data (structured clone)
   * @throws LCORE_BUSY while it polls, IDLE_MODE. Everything later rejects `run.started` and `run.done`.
   */
  launch<R = unknown>(module: URL | string, data?: unknown, options: LaunchOptions = {}): Run<R> {
    const { idle = 'spin', cycles = false } = options;
    if (!IDLE_MODES.includes(idle)) {
      throw new PollwireError(
        'IDLE_MODE',
        `Unknown idle strategy '${idle}'; use one of ${IDLE_MODES.join(', ')}.`,
      );
    }
    if (this.run !== undefined)
      throw new PollwireError('LCORE_BUSY', `Lcore ${this.id} is polling already; stop its run first.`);
    this.block.reset();
    const worker = this.worker ?? this.createWorker();
    const run = new Run<R>({
      request: (bits) => this.request(bits),
      post: (message) => this.mail(message),
      terminate: () => this.terminate(new PollwireError('LCORE_STUCK', this.stuckText())),
      stopTimeout: STOP_TIMEOUT_MS,
    });
    this.run = run as Run<unknown>;
    worker.ref();
    this.send({
      type: 'launch',
      run: run.id,
      module: moduleUrl(module),
      data,
      idle,
      cycles,
      world: this.host.world(),
    });
    return run;
  }

  /** Resolves when a turn has ended since the call, or at once when it is not polling. */
  async sync(): Promise<void> {
    const run = this.run;
    if (run === undefined) return;
    this.request(CONTROL.SYNC);
    while (this.run === run && (this.block.control() & CONTROL.SYNC) !== 0) await nextTurn();
  }

  /** Makes the thread now instead of at the first launch. */
  prepare(): void {
    this.worker ??= this.createWorker();
  }

  /** Stops what runs and ends the thread. The lcore can be launched again. */
  async close(): Promise<void> {
    await this.run?.stop().catch(() => undefined);
    const worker = this.worker;
    this.worker = undefined;
    await worker?.terminate();
  }

  /** Gives the arena block back; the last call. */
  free(): void {
    this.block.free();
  }

  /** Asks for a stop without waiting; for process exit. */
  abandon(): void {
    this.request(CONTROL.STOP);
  }

  private createWorker(): Worker {
    const name = `lcore-${this.id}`;
    const workerData: WorkerInit = { lcore: this.id, cpu: this.cpu, name, block: this.block.at };
    const { heap } = this.host;
    const resourceLimits = heap === undefined ? {} : { maxOldGenerationSizeMb: heap };
    const worker = new Worker(WORKER_FILE, {
      name,
      workerData,
      resourceLimits,
      execArgv: threadExecArgv(process.execArgv),
    });
    worker.unref();
    worker.on('message', (message: FromWorker) => this.receive(message));
    worker.on('error', (error) => this.died(worker, error));
    worker.on('exit', (code) => this.died(worker, new Error(`its thread exited with code ${code}`)));
    this.worker = worker;
    return worker;
  }

  private receive(message: FromWorker): void {
    if (message.type === 'log') this.host.log(message.logger, message.level, message.text);
    else if (message.type === 'script-failed') this.host.scriptFailed(message.view, errorOf(message.error));
    else if (message.run !== this.run?.id) return;
    else if (message.type === 'started') this.run.markStarted(message.counters);
    else if (message.type === 'done') this.end((run) => run.succeed(message.result));
    else this.failed(errorOf(message.error, this.id));
  }

  private failed(error: PollwireError): void {
    this.end((run) => run.fail(error));
    this.host.lcoreFailed(this, error);
  }

  private end(settle: (run: Run<unknown>) => void): void {
    const run = this.run;
    if (run === undefined) return;
    this.run = undefined;
    this.worker?.unref();
    settle(run);
    this.host.runEnded(run);
  }

  /** The thread is gone: out of memory, an error outside poll, or terminate(). */
  private died(worker: Worker, cause: Error): void {
    if (worker !== this.worker) return;
    this.worker = undefined;
    if (this.run === undefined) return;
    this.failed(
      new PollwireError('LCORE_DIED', `Lcore ${this.id} died: ${cause.message}. It can be launched again.`, {
        cause,
      }),
    );
  }

  private terminate(error: PollwireError): void {
    const worker = this.worker;
    this.worker = undefined;
    void worker?.terminate();
    this.failed(error);
  }

  private stuckText(): string {
    return `Lcore ${this.id} did not come back from its poll function within ${STOP_TIMEOUT_MS} ms; its thread was ended.`;
  }

  private request(bits: number): void {
    this.block.request(bits);
    native.lcoreWake(this.id);
  }

  private mail(message: unknown): void {
    this.send({ type: 'mail', message, world: this.host.world() });
    this.request(CONTROL.MAIL);
  }

  private send(message: ToWorker): void {
    this.worker?.postMessage(message);
  }
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

function errorOf(data: ErrorData, lcore?: number): PollwireError {
  const text = lcore === undefined ? data.message : `Lcore ${lcore} stopped: ${data.message}`;
  const error = new PollwireError(data.code, text, { details: { lcore } });
  error.stack = data.stack;
  return error;
}
