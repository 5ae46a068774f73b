/** One launch of a poll function on an lcore: its promises, its messages, its counters. Made by Lcore.launch. */
import { arena, native, PollwireError } from '@pollwire/native';
import { CONTROL } from './lcore-block.js';

/** What a run needs from its lcore. */
export interface RunHost {
  /** Sets control bits and wakes the lcore. */
  request(bits: number): void;
  post(message: unknown): void;
  /** Ends the thread. */
  terminate(): void;
  /** Milliseconds that stop() waits before terminate(). */
  readonly stopTimeout: number;
}

interface Deferred<T> {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: PollwireError) => void;
}

function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: PollwireError) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // Failures are also reported by the lcore_error event: an unobserved promise must not end the process.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}

let nextId = 1;

export class Run<R> {
  /** @internal */
  readonly id = nextId++;
  private readonly begun = deferred<void>();
  private readonly ended = deferred<R>();
  private block: { at: number; count: number } | undefined;
  private last: number[] = [];
  private over = false;

  /** @internal */
  constructor(private readonly host: RunHost) {}

  /** Resolves when the poll function is open and about to be polled; rejects when it could not be opened. */
  get started(): Promise<void> {
    return this.begun.promise;
  }

  /** Resolves to what the poll function's stop() returned; rejects with POLL_FUNCTION_THREW, POLL_MODULE, LCORE_DIED or LCORE_STUCK. */
  get done(): Promise<R> {
    return this.ended.promise;
  }

  /** Asks the lcore to stop after the present turn; the same promise as `done`. A poll function that does not return is ended after 2 s. */
  stop(): Promise<R> {
    if (this.over) return this.done;
    this.host.request(CONTROL.STOP);
    const timer = setTimeout(() => {
      if (!this.over) this.host.terminate();
    }, this.host.stopTimeout);
    const clear = () => clearTimeout(timer);
    this.done.then(clear, clear);
    return this.done;
  }

  /** Delivers `message` (structured clone) to the poll function's message() between two turns, with the ports, pools and rings of now. */
  post(message: unknown): void {
    if (this.over) throw new PollwireError('RUN_OVER', 'This run has ended; launch again.');
    this.host.post(message);
  }

  /** The doubles of ctx.counters(), a copy; [] before the start and when there are none. After the end: their last values. */
  counters(): number[] {
    if (this.block === undefined) return this.last;
    return Array.from(arena().doubles(this.block.at, this.block.count));
  }

  /** @internal */
  markStarted(counters: { at: number; count: number } | undefined): void {
    this.block = counters;
    this.begun.resolve();
  }

  /** @internal */
  succeed(result: unknown): void {
    this.finish();
    this.ended.resolve(result as R);
  }

  /** @internal */
  fail(error: PollwireError): void {
    this.finish();
    this.begun.reject(error);
    this.ended.reject(error);
  }

  private finish(): void {
    this.over = true;
    if (this.block === undefined) return;
    this.last = this.counters();
    native.arenaFree(this.block.at);
    this.block = undefined;
  }
}
