/**
 * Typed events over eventemitter3. A listener that throws breaks neither the emitter nor the other listeners: what it threw goes to
 * the emitter's 'error' listeners, or to the sink when there are none. Called by Port, Eal and Lcore.
 */
import { PollwireError } from '@pollwire/native';
import { EventEmitter } from 'eventemitter3';

/** Event name → listener arguments. */
export type EventMap = Record<string, unknown[]>;
export type Listener<A extends unknown[]> = (...args: A) => void;

/** Gets errors that no 'error' listener took. */
export type ErrorSink = (error: PollwireError) => void;

const toStderr: ErrorSink = (error) => void process.stderr.write(`${error.code}: ${error.message}\n`);

export class TypedEmitter<E extends EventMap & { error: unknown[] }> {
  private readonly emitter = new EventEmitter();

  /** @param sink takes 'error' events without a listener; default: one line on stderr. */
  constructor(private readonly sink: ErrorSink = toStderr) {}

  on<K extends keyof E & string>(event: K, listener: Listener<E[K]>): this {
    this.emitter.on(event, listener as Listener<unknown[]>);
    return this;
  }

  once<K extends keyof E & string>(event: K, listener: Listener<E[K]>): this {
    this.emitter.once(event, listener as Listener<unknown[]>);
    return this;
  }

  off<K extends keyof E & string>(event: K, listener: Listener<E[K]>): this {
    this.emitter.off(event, listener as Listener<unknown[]>);
    return this;
  }

  listenerCount(event: keyof E & string): number {
    return this.emitter.listenerCount(event);
  }

  /** Removes every listener. */
  removeAllListeners(): this {
    this.emitter.removeAllListeners();
    return this;
  }

  /** Calls all listeners, also behind one that throws. Returns whether there was one. Never throws. */
  emitSafe<K extends keyof E & string>(event: K, ...args: E[K]): boolean {
    const listeners = this.emitter.listeners(event) as Listener<unknown[]>[];
    for (const listener of listeners) {
      try {
        this.callOne(event, listener, args);
      } catch (thrown) {
        this.listenerThrew(event, thrown);
      }
    }
    if (event === 'error' && listeners.length === 0) this.sink(args[0] as PollwireError);
    return listeners.length > 0;
  }

  private callOne(event: string, listener: Listener<unknown[]>, args: unknown[]): void {
    // Removes it only when it was added with once (third argument: context, fourth: once).
    this.emitter.off(event, listener, undefined, true);
    const result: unknown = (listener as (...a: unknown[]) => unknown)(...args);
    if (result instanceof Promise) result.catch((thrown: unknown) => this.listenerThrew(event, thrown));
  }

  private listenerThrew(event: string, thrown: unknown): void {
    const message = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    const error = new PollwireError('LISTENER_THREW', `A listener of '${event}' threw: ${message}`, {
      cause: thrown,
    });
    if (event === 'error' || this.emitter.listenerCount('error') === 0) this.sink(error);
    else this.emitSafe('error', ...([error] as unknown as E['error']));
  }
}
