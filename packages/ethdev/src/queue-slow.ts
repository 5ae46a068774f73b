/**
 * The unusual half of a burst: rx and tx callbacks, and script queues with their gate, counters and containment of a module that throws
 * or returns nonsense. Called by queue-ref.ts behind one branch.
 */
import { native, PollwireError, SlotClosed, toPollwireError } from '@pollwire/native';
import type { Burst } from './burst.js';
import type { IsolateEnv } from './isolate.js';
import type { QueueView, RxQueueRef, TxQueueRef } from './queue-ref.js';
import type { ScriptRx, ScriptTx } from './script-queue.js';
import { countScriptBurst } from './stats.js';

/** Runs after rx: handles[0..length) may be changed; returns the new length. */
export type RxCallback = (burst: Burst, queue: RxQueueRef) => number;

/** Runs before tx on handles[from..from + n): may free some and move the rest together at `from`; returns how many are left. */
export type TxCallback = (burst: Burst, n: number, from: number, queue: TxQueueRef) => number;

/** What both directions share: the ordered callbacks and the end they belong to. Lists are replaced, never changed, so that a callback may remove itself. */
abstract class Slow<C, S extends { close?(): void }> {
  protected callbacks: readonly C[] = [];
  private end: S | undefined;

  /** @param env undefined for a native queue that has callbacks only, and (with slot -1) for one that is gone */
  constructor(
    protected readonly view: QueueView,
    protected readonly env: IsolateEnv | undefined,
  ) {
    // Opened here when possible, so that a module that fails to open fails at set-up and not inside a burst.
    if (env !== undefined && view.module !== undefined && env.scripts.has(view.module)) this.open(env);
  }

  add(callback: C, where: 'first' | 'last'): void {
    this.callbacks = where === 'first' ? [callback, ...this.callbacks] : [...this.callbacks, callback];
  }

  /** Returns true when nothing is left to do here: no callbacks and a native queue. */
  remove(callback: C): boolean {
    const at = this.callbacks.indexOf(callback);
    if (at >= 0) this.callbacks = this.callbacks.toSpliced(at, 1);
    return this.callbacks.length === 0 && this.env === undefined;
  }

  close(): void {
    this.end?.close?.();
    this.end = undefined;
  }

  /** The script end when its gate is open; undefined otherwise. */
  protected script(env: IsolateEnv): S | undefined {
    if (env.arena.load(this.view.gate) !== 0) return undefined;
    return this.end ?? this.open(env);
  }

  private open(env: IsolateEnv): S {
    const { port, id, rx, module, data } = this.view;
    const context = env.scriptContext(this.view);
    this.end = env.scripts.get(module as string)(data, context) as unknown as S;
    const method = rx ? 'rxBurst' : 'txBurst';
    if (typeof (this.end as unknown as Record<string, unknown> | undefined)?.[method] !== 'function') {
      throw new PollwireError(
        'SCRIPT_MODULE',
        `Queue module ${module} of port ${port} queue ${id} returned no ${method}.`,
      );
    }
    return this.end;
  }

  /** Closes the gate for good and reports; the port's other queues and all other ports go on. */
  protected fail(env: IsolateEnv, thrown: unknown): 0 {
    env.arena.or(this.view.gate, SlotClosed.BROKEN);
    env.scriptFailed(this.view, toPollwireError(thrown, 'SCRIPT_THREW'));
    return 0;
  }

  protected checkCount(count: number, most: number): number {
    if (Number.isInteger(count) && count >= 0 && count <= most) return count;
    const { port, id, rx } = this.view;
    throw new PollwireError(
      'BAD_COUNT',
      `Port ${port} ${rx ? 'rx' : 'tx'} queue ${id}: the burst function or a callback returned ${count}; 0 to ${most} is allowed.`,
    );
  }
}

export class RxSlow extends Slow<RxCallback, ScriptRx> {
  burst(queue: RxQueueRef, burst: Burst, n: number): number {
    burst.first = 0;
    burst.length = this.receive(burst, n);
    const callbacks = this.callbacks;
    for (let i = 0; i < callbacks.length; i++) {
      burst.length = this.checkCount((callbacks[i] as RxCallback)(burst, queue), burst.capacity);
    }
    return burst.length;
  }

  private receive(burst: Burst, n: number): number {
    if (this.env !== undefined) return this.fromScript(this.env, burst, n);
    return this.view.slot < 0 ? 0 : native.rxBurst(this.view.slot, burst.word, n);
  }

  private fromScript(env: IsolateEnv, burst: Burst, n: number): number {
    try {
      const end = this.script(env);
      if (end === undefined) return 0;
      const got = this.checkCount(end.rxBurst(burst, n), n);
      countScriptBurst(env.arena.u32, this.view.counters, got, packetBytes(env, burst, got, 0));
      return got;
    } catch (thrown) {
      return this.fail(env, thrown);
    }
  }
}

export class TxSlow extends Slow<TxCallback, ScriptTx> {
  burst(queue: TxQueueRef, burst: Burst, n: number, from: number): number {
    const callbacks = this.callbacks;
    let left = n;
    for (let i = 0; i < callbacks.length && left > 0; i++) {
      left = this.checkCount((callbacks[i] as TxCallback)(burst, left, from, queue), left);
    }
    const sent = left === 0 ? 0 : this.send(burst, left, from);
    const rest = left - sent;
    // What callbacks removed counts as sent: the unsent rest moves to the end of the caller's range.
    if (left < n && rest > 0) burst.handles.copyWithin(from + n - rest, from + sent, from + left);
    burst.first = from + n - rest;
    return n - rest;
  }

  private send(burst: Burst, n: number, from: number): number {
    if (this.env !== undefined) return this.toScript(this.env, burst, n, from);
    return this.view.slot < 0 ? 0 : native.txBurst(this.view.slot, burst.word + from, n);
  }

  private toScript(env: IsolateEnv, burst: Burst, n: number, from: number): number {
    try {
      const end = this.script(env);
      if (end === undefined) return 0;
      // Lengths must be read before the end takes the mbufs: afterwards they may be anybody's.
      const bytes = packetBytes(env, burst, n, from);
      const sent = this.checkCount(end.txBurst(burst, n, from), n);
      const unsent = packetBytes(env, burst, n - sent, from + sent);
      countScriptBurst(env.arena.u32, this.view.counters, sent, bytes - unsent);
      return sent;
    } catch (thrown) {
      return this.fail(env, thrown);
    }
  }
}

function packetBytes(env: IsolateEnv, burst: Burst, n: number, from: number): number {
  let bytes = 0;
  for (let i = from; i < from + n; i++) bytes += env.mbufs.pktLen(burst.at(i));
  return bytes;
}
