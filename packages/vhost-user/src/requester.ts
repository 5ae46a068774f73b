/**
 * The asking side of a socket: sends requests and gives each reply to the request it belongs to, in order, with a
 * deadline. A reply that is late, wrong or unasked for ends the connection. The front-end's main socket and the
 * back-end channel stand on it.
 */
import { PollwireError } from '@pollwire/native';
import type { CloseReason } from './close-reason.js';
import { reasonOf } from './close-reason.js';
import type { Reply, ReplyForm } from './codec.js';
import { decodeReply, encodeRequest, requestName } from './codec.js';
import { Connection } from './connection.js';
import type { ConnectionLimits } from './connection-limits.js';
import { deferred } from './deferred.js';
import type { FdSocket } from './fd-socket.js';
import type { Frame } from './frame-reader.js';
import type { Direction, MessageRow } from './messages.js';
import type { OutgoingFd } from './output-queue.js';
import type { PayloadKind, PayloadTypes } from './payloads.js';
import { isReject } from './refusal.js';
import { Trace, traceFields } from './trace.js';

export interface RequesterOptions {
  /** How long a reply may take, milliseconds; 0: for ever. Default 5000. */
  readonly replyTimeout?: number;
  /** Requests that may wait for a reply at once; a further one is refused. Default 1024. */
  readonly maxPending?: number;
  readonly limits?: ConnectionLimits;
}

/** A reply and the descriptors that came with it, which belong to whoever asked. */
export interface Answered<K extends PayloadKind> {
  readonly payload: PayloadTypes[K];
  readonly fds: readonly number[];
}

interface Pending {
  readonly row: MessageRow;
  readonly form: ReplyForm<PayloadKind>;
  readonly timer: NodeJS.Timeout | undefined;
  resolve(answer: Answered<PayloadKind>): void;
  reject(error: PollwireError): void;
}

/** The reply to a message that was sent with need-reply: 0 for success. */
export const ACK_FORM: ReplyForm<'u64'> = { payloads: ['u64'], fds: { min: 0, max: 0 } };

export class Requester {
  readonly closed: Promise<CloseReason>;
  readonly trace: Trace;
  readonly #socket: FdSocket;
  readonly #direction: Direction;
  readonly #connection: Connection;
  readonly #timeout: number;
  readonly #maxPending: number;
  readonly #pending: Pending[] = [];

  constructor(
    socket: FdSocket,
    direction: Direction,
    trace: Trace = new Trace(),
    options: RequesterOptions = {},
  ) {
    this.#socket = socket;
    this.#direction = direction;
    this.trace = trace;
    this.#timeout = options.replyTimeout ?? 5000;
    this.#maxPending = options.maxPending ?? 1024;
    const end = deferred<CloseReason>();
    this.closed = end.promise;
    const receiver = {
      frame: (frame: Frame) => this.#frame(frame),
      closed: (reason: CloseReason) => {
        this.#failAll(reason);
        end.resolve(reason);
      },
    };
    // An asker may be idle for ever: only unfinished messages and unread output have deadlines.
    const limits = { handshakeTimeout: 0, ...options.limits };
    this.#connection = new Connection(socket, direction, 'reply', receiver, limits);
    this.#connection.start();
  }

  get open(): boolean {
    return this.#connection.open;
  }

  get closeReason(): CloseReason | undefined {
    return this.#connection.closeReason;
  }

  /** Bytes that wait for the peer to read. */
  get pendingOutput(): number {
    return this.#connection.pendingOutput;
  }

  /** Handle replies that are there now, without waiting for readiness. */
  poll(): number {
    return this.#connection.poll();
  }

  close(text: string): void {
    this.#connection.close({ code: 'VHOST_CLOSED', text, by: 'us' });
  }

  /** Close the descriptors of a request that is not going to be sent, where that was asked for. */
  discard(fds: readonly OutgoingFd[]): void {
    for (const item of fds) {
      if (item.close) {
        this.#socket.closeFd(item.fd);
      }
    }
  }

  /** Send a request that has no reply. Returns false when the connection is closed. */
  send<K extends PayloadKind>(
    row: MessageRow,
    payload: PayloadTypes[K],
    fds: readonly OutgoingFd[] = [],
  ): boolean {
    this.#traceOut(row, payload, fds, false);
    return this.#connection.send(encodeRequest(row, payload), fds);
  }

  /**
   * Send a request and wait for its reply.
   * @throws PollwireError `VHOST_REPLY_TIMEOUT`, `VHOST_BAD_REPLY` and others when the connection ended for it, with
   * the reason's own code
   */
  request<K extends PayloadKind>(
    row: MessageRow,
    payload: PayloadTypes[PayloadKind],
    form: ReplyForm<K>,
    options: { readonly fds?: readonly OutgoingFd[]; readonly needReply?: boolean } = {},
  ): Promise<Answered<K>> {
    const needReply = options.needReply ?? false;
    const fds = options.fds ?? [];
    if (this.#pending.length >= this.#maxPending) {
      this.discard(fds);
      const text = `${row.name}: ${this.#pending.length} requests wait for a reply already`;
      return Promise.reject(new PollwireError('VHOST_PEER_NOT_READING', text));
    }
    return new Promise<Answered<K>>((resolve, rejected) => {
      const waiting = {
        row,
        form: form as ReplyForm<PayloadKind>,
        timer: this.#deadline(row),
        resolve: resolve as (answer: Answered<PayloadKind>) => void,
        reject: rejected,
      };
      this.#pending.push(waiting);
      this.#traceOut(row, payload, fds, needReply);
      if (!this.#connection.send(encodeRequest(row, payload, needReply), fds)) {
        this.#failAll(this.#connection.closeReason);
      }
    });
  }

  #frame(frame: Frame): void {
    const waiting = this.#pending[0];
    if (waiting === undefined) {
      const text = `a reply to ${requestName(this.#direction, frame.header.request)} that nobody asked for`;
      this.#connection.close({ code: 'VHOST_BAD_REPLY', text, by: 'us' });
      return;
    }
    const { row, form } = waiting;
    const reply = decodeReply(this.#direction, row, form, frame.headerBytes, frame.payload, frame.fds);
    if (isReject(reply)) {
      this.#connection.close(reasonOf(reply));
      return;
    }
    this.#pending.shift();
    clearTimeout(waiting.timer);
    this.#traceIn(reply);
    waiting.resolve({ payload: reply.payload, fds: reply.fds.map((fd) => fd.take()) });
  }

  #deadline(row: MessageRow): NodeJS.Timeout | undefined {
    if (this.#timeout === 0) {
      return undefined;
    }
    const expire = () => {
      const text = `no reply to ${row.name} within ${this.#timeout} ms`;
      this.#connection.close({ code: 'VHOST_REPLY_TIMEOUT', text, by: 'us', message: row.name });
    };
    return setTimeout(expire, this.#timeout).unref();
  }

  #failAll(reason: CloseReason | undefined): void {
    for (const waiting of this.#pending.splice(0)) {
      clearTimeout(waiting.timer);
      const why = reason?.text ?? 'the connection is closed';
      const options = reason?.cause === undefined ? {} : { cause: reason.cause };
      waiting.reject(
        new PollwireError(reason?.code ?? 'VHOST_CLOSED', `${waiting.row.name}: ${why}`, options),
      );
    }
  }

  #traceOut(
    row: MessageRow,
    payload: PayloadTypes[PayloadKind],
    fds: readonly OutgoingFd[],
    needReply: boolean,
  ): void {
    const fields = traceFields(row, payload);
    this.trace.add({ dir: 'out', name: row.name, needReply, fds: fds.length, fields });
  }

  #traceIn({ row, payload, fds }: Reply): void {
    this.trace.add({ dir: 'in', name: row.name, reply: true, fds: fds.length, fields: replyFields(payload) });
  }
}

/** A reply's layout is not its request's, so only what needs no row is kept. */
function replyFields(payload: PayloadTypes[PayloadKind]): Record<string, bigint | number> {
  if (typeof payload === 'bigint') {
    return { u64: payload };
  }
  if (typeof payload === 'object' && 'index' in payload && 'num' in payload) {
    return { index: payload.index, num: payload.num };
  }
  return {};
}
