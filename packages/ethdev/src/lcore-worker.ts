/**
 * The file a worker lcore's thread runs: waits for launches, opens the poll function, calls it until told to stop, cleans up, waits again.
 * Started by Lcore only. The loop itself is `turnUntilStopped`; everything it calls is bounded, so that the thread can be ended at any time.
 */

import type { MessagePort } from 'node:worker_threads';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { arena, native, PollwireError, toPollwireError } from '@pollwire/native';
import { IdleStrategy } from './idle.js';
import { IsolateEnv } from './isolate.js';
import { CONTROL, LcoreBlock } from './lcore-block.js';
import type {
  ErrorData,
  FromWorker,
  LaunchMessage,
  MailMessage,
  ToWorker,
  WorkerInit,
  World,
} from './lcore-protocol.js';
import { Logger } from './log.js';
import type { PollFunction } from './poll.js';
import { checkPollDefinition, PollScope } from './poll-context.js';

const init = workerData as WorkerInit;
const parent = parentPort as MessagePort;
const block = new LcoreBlock(init.block);

const post = (message: FromWorker) => parent.postMessage(message);

function errorData(thrown: unknown, code: string): ErrorData {
  const error = toPollwireError(thrown, code);
  const origin = thrown instanceof Error ? thrown : error;
  return { code: error.code, message: error.message, stack: origin.stack ?? origin.message };
}

function environment(world: () => World): IsolateEnv {
  return new IsolateEnv({
    lcore: init.lcore,
    log: new Logger(`lcore.${init.lcore}`, (logger, level, text) =>
      post({ type: 'log', logger, level, text }),
    ),
    pools: () => world().pools,
    rings: () => world().rings,
    scriptFailed: (view, error) => post({ type: 'script-failed', view, error: errorData(error, error.code) }),
  });
}

/** One run, from the launch message to its end. Everything that varies is here; the loop gets the rest. */
class Run {
  private readonly env: IsolateEnv;
  private readonly scope: PollScope<unknown>;
  private fn: PollFunction | undefined;
  private started = false;
  private readonly early: MailMessage[] = [];

  constructor(
    private readonly launch: LaunchMessage,
    private world: World = launch.world,
  ) {
    this.env = environment(() => this.world);
    this.scope = new PollScope(this.env, launch.world, launch.data);
  }

  async open(): Promise<PollFunction> {
    await this.loadScripts();
    const module = (await import(this.launch.module)) as { default?: unknown };
    this.fn = await checkPollDefinition(this.launch.module, module.default).open(this.scope);
    if (typeof this.fn?.poll !== 'function') {
      throw new PollwireError(
        'POLL_MODULE',
        `open() of ${this.launch.module} returned nothing with a poll function.`,
      );
    }
    this.started = true;
    post({ type: 'started', run: this.launch.run, counters: this.scope.counterBlock });
    return this.fn;
  }

  idle(): IdleStrategy {
    const sources = this.scope.interruptSources();
    return new IdleStrategy(this.launch.idle, { ...sources, onSleep: () => block.sleep() });
  }

  get cycles(): boolean {
    return this.launch.cycles;
  }

  /** Mail that came by event, before the loop began. */
  deliver(mail: MailMessage): void {
    this.early.push(mail);
  }

  /** Takes everything out of the mailbox, between two turns. */
  readMail(): void {
    block.acknowledge(CONTROL.MAIL);
    for (const mail of this.early.splice(0)) this.take(mail);
    for (let mail = receiveMessageOnPort(parent); mail !== undefined; mail = receiveMessageOnPort(parent)) {
      const message = mail.message as ToWorker;
      if (message.type === 'mail') this.take(message);
    }
  }

  private take(mail: MailMessage): void {
    this.world = mail.world;
    this.scope.update(mail.world);
    this.fn?.message?.(mail.message as never);
  }

  /** Normal end. */
  finish(): void {
    const result = this.fn?.stop?.();
    this.scope.release();
    post({ type: 'done', run: this.launch.run, result });
  }

  fail(thrown: unknown, code: string): void {
    this.scope.reclaim();
    this.scope.release();
    // Nobody has heard of the counters yet.
    if (!this.started && this.scope.counterBlock !== undefined) native.arenaFree(this.scope.counterBlock.at);
    post({ type: 'failed', run: this.launch.run, error: errorData(thrown, code) });
  }

  private loadScripts(): Promise<void> {
    const views = this.launch.world.ports.flatMap((port) => [...port.rx, ...port.tx]);
    return this.env.scripts.load(views.flatMap((view) => view.module ?? []));
  }
}

/** Polls until the control word asks for something; returns what. */
function turnUntilRequest(fn: PollFunction, idle: IdleStrategy): number {
  for (;;) {
    const request = block.control();
    if (request !== 0) return request;
    const work = fn.poll();
    block.turn(work);
    idle.after(work);
  }
}

/** The same with a time stamp per turn (reads the TSC through the addon: about 40 ns a turn). */
function turnWithCycles(fn: PollFunction, idle: IdleStrategy): number {
  let before = native.tsc();
  for (;;) {
    const request = block.control();
    if (request !== 0) return request;
    const work = fn.poll();
    const now = native.tsc();
    block.cycles(now - before, work > 0);
    before = now;
    block.turn(work);
    idle.after(work);
  }
}

function turnUntilStopped(run: Run, fn: PollFunction): void {
  const idle = run.idle();
  const turn = run.cycles ? turnWithCycles : turnUntilRequest;
  for (;;) {
    const request = turn(fn, idle);
    if ((request & CONTROL.SYNC) !== 0) block.acknowledge(CONTROL.SYNC);
    if ((request & CONTROL.MAIL) !== 0) run.readMail();
    if ((request & CONTROL.STOP) !== 0) return;
  }
}

/** The present run, also while it opens. */
let run: Run | undefined;

async function perform(launch: LaunchMessage): Promise<void> {
  native.lcoreEnter(init.lcore, init.cpu, init.name);
  let code = 'POLL_MODULE';
  try {
    run = new Run(launch);
    const fn = await run.open();
    code = 'POLL_FUNCTION_THREW';
    turnUntilStopped(run, fn);
    run.finish();
  } catch (thrown) {
    if (run === undefined) post({ type: 'failed', run: launch.run, error: errorData(thrown, code) });
    else run.fail(thrown, code);
  } finally {
    run = undefined;
    block.acknowledge(CONTROL.SYNC);
    native.lcoreLeave();
  }
}

arena();
parent.on('message', (message: ToWorker) => {
  if (message.type === 'launch') void perform(message);
  else run?.deliver(message);
});
