/**
 * One vhost-user socket: frames in order, one at a time, to a receiver; bytes and descriptors out. Both roles and the
 * back-end channel stand on it. It never blocks, bounds what it keeps, gives up on deadlines, lets other work run
 * between batches of messages, and leaves no descriptor open when it closes.
 */
import type { CloseReason } from './close-reason.js';
import { handlerFailure, reasonOf, socketFailure } from './close-reason.js';
import type { Expectation } from './codec.js';
import type { ConnectionLimits } from './connection-limits.js';
import { DEFAULT_LIMITS } from './connection-limits.js';
import { ConnectionTimers } from './connection-timers.js';
import type { FdSocket, Readiness } from './fd-socket.js';
import type { Frame } from './frame-reader.js';
import { FrameReader } from './frame-reader.js';
import type { Direction } from './messages.js';
import type { OutgoingFd } from './output-queue.js';
import { OutputQueue } from './output-queue.js';
import { releaseAll } from './received-fd.js';
import { isReject } from './refusal.js';

/** Who gets the frames. */
export interface FrameReceiver {
  /**
   * One whole frame. The next one comes after it returned, or after its promise settled. Descriptors that nobody took
   * are closed then. A throw or rejection closes the connection.
   */
  frame(frame: Frame): void | Promise<void>;
  /** The connection is closed and no `frame` call is under way. Once, last, never from inside another call. */
  closed(reason: CloseReason): void;
}

export class Connection {
  readonly #socket: FdSocket;
  readonly #receiver: FrameReceiver;
  readonly #limits: Required<ConnectionLimits>;
  readonly #reader: FrameReader;
  readonly #output: OutputQueue;
  readonly #timers: ConnectionTimers;
  #unwatch: (() => void) | undefined;
  #watching = '';
  #started = false;
  #busy = false;
  #turn: NodeJS.Immediate | undefined;
  #reason: CloseReason | undefined;

  /**
   * @param direction whose requests travel on this socket
   * @param expect whether requests or replies arrive here
   */
  constructor(
    socket: FdSocket,
    direction: Direction,
    expect: Expectation,
    receiver: FrameReceiver,
    limits: ConnectionLimits = {},
  ) {
    this.#socket = socket;
    this.#receiver = receiver;
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
    this.#reader = new FrameReader(socket, direction, expect);
    this.#output = new OutputQueue(socket);
    this.#timers = new ConnectionTimers(this.#limits, (reason) => this.close(reason));
  }

  /** Why it closed; undefined while it is open. */
  get closeReason(): CloseReason | undefined {
    return this.#reason;
  }

  get open(): boolean {
    return this.#reason === undefined;
  }

  /** Begin to read. Frames never arrive before this call has returned. */
  start(): void {
    if (!this.#started && this.open) {
      this.#started = true;
      this.#timers.startHandshake();
      this.#updateWatch();
    }
  }

  /**
   * Read and handle what is there now, at most one batch, as readiness would. For tests and for callers that step.
   * @returns frames handed to the receiver
   */
  poll(): number {
    let handled = 0;
    while (this.#mayRead()) {
      if (handled === this.#limits.messageBudget) {
        this.#turn = setImmediate(() => this.#nextTurn());
        break;
      }
      const frame = this.#next();
      if (frame === undefined) {
        break;
      }
      handled += 1;
      this.#timers.endHandshake();
      this.#deliver(frame);
    }
    this.#timers.partial(this.open && this.#reader.partial, () => this.#reader.progress);
    this.#updateWatch();
    return handled;
  }

  /**
   * Send bytes with descriptors. What the socket does not take is queued; too much of it closes the connection.
   * @returns false when the connection is closed (the descriptors to be closed are closed)
   */
  send(bytes: Uint8Array, fds: readonly OutgoingFd[] = []): boolean {
    this.#output.push(bytes, fds);
    if (!this.open) {
      this.#output.dispose();
      return false;
    }
    this.#flush();
    if (this.#output.bytes > this.#limits.maxOutput) {
      const text = `the peer does not read: ${this.#output.bytes} bytes wait, the limit is ${this.#limits.maxOutput}`;
      this.close({ code: 'VHOST_PEER_NOT_READING', text, by: 'us' });
    }
    return this.open;
  }

  /** Bytes that wait for the peer to read. */
  get pendingOutput(): number {
    return this.#output.bytes;
  }

  /** Close now: descriptors, timers, socket. The receiver's `closed` follows when no frame is in hand. */
  close(reason: CloseReason): void {
    if (this.#reason !== undefined) {
      return;
    }
    this.#reason = reason;
    this.#unwatch?.();
    this.#unwatch = undefined;
    clearImmediate(this.#turn);
    this.#timers.stop();
    this.#reader.dispose();
    this.#output.dispose();
    this.#socket.close();
    if (!this.#busy) {
      queueMicrotask(() => this.#receiver.closed(reason));
    }
  }

  #mayRead(): boolean {
    const blocked = this.#output.bytes > this.#limits.pauseReadingAbove;
    return this.open && this.#started && !this.#busy && this.#turn === undefined && !blocked;
  }

  #nextTurn(): void {
    this.#turn = undefined;
    this.poll();
  }

  /** The next frame, or undefined when there is none now; closes on anything else. */
  #next(): Frame | undefined {
    try {
      const result = this.#reader.read();
      if (result === 'again') {
        return undefined;
      }
      if (result === 'end') {
        this.close(this.#endOfStream());
        return undefined;
      }
      if (isReject(result)) {
        this.close(reasonOf(result));
        return undefined;
      }
      return result;
    } catch (error) {
      this.close(socketFailure(error));
      return undefined;
    }
  }

  #deliver(frame: Frame): void {
    this.#busy = true;
    let result: void | Promise<void>;
    try {
      result = this.#receiver.frame(frame);
    } catch (error) {
      this.#delivered(frame, { error });
      return;
    }
    if (result === undefined) {
      this.#delivered(frame);
      return;
    }
    this.#updateWatch();
    result.then(
      () => this.#resume(frame),
      (error: unknown) => this.#resume(frame, { error }),
    );
  }

  #resume(frame: Frame, failure?: { readonly error: unknown }): void {
    this.#delivered(frame, failure);
    this.poll();
  }

  #delivered(frame: Frame, failure?: { readonly error: unknown }): void {
    releaseAll(frame.fds);
    if (failure !== undefined) {
      this.close(handlerFailure(failure.error));
    }
    this.#busy = false;
    const reason = this.#reason;
    if (reason !== undefined) {
      queueMicrotask(() => this.#receiver.closed(reason));
    }
  }

  #ready(what: Readiness): void {
    if (what.writable || (what.hangup && this.#output.bytes > 0)) {
      this.#flush();
    }
    if (this.open && (what.readable || what.hangup)) {
      this.poll();
    }
  }

  #flush(): void {
    try {
      const moved = this.#output.flush();
      this.#timers.output(this.#output.bytes > 0, moved, () => this.#output.bytes);
    } catch (error) {
      this.close(socketFailure(error));
      return;
    }
    this.#updateWatch();
  }

  /** Ask for the readiness that can be used now, and no other: the readiness is level-triggered. */
  #updateWatch(): void {
    if (!this.open || !this.#started) {
      return;
    }
    const interest = { readable: this.#mayRead(), writable: this.#output.bytes > 0 };
    const wanted = `${interest.readable ? 'r' : ''}${interest.writable ? 'w' : ''}`;
    if (wanted === this.#watching) {
      return;
    }
    this.#unwatch?.();
    this.#watching = wanted;
    this.#unwatch = wanted === '' ? undefined : this.#socket.watch(interest, (what) => this.#ready(what));
  }

  #endOfStream(): CloseReason {
    if (this.#reader.partial) {
      const text = `the peer closed the connection after ${this.#reader.progress}`;
      return { code: 'VHOST_PARTIAL_MESSAGE', text, by: 'peer' };
    }
    return { code: 'VHOST_PEER_CLOSED', text: 'the peer closed the connection', by: 'peer' };
  }
}
