/**
 * How a back-end session answers: acks, replies, NACKs, and the close where none of them can say no. Knows which
 * message may be answered how; knows nothing of what the messages do.
 */
import type { OwnReply } from './actions/action.js';
import { reasonOf } from './close-reason.js';
import { encodeMessage, encodeReply, FLAG_REPLY, requestName, VERSION } from './codec.js';
import type { Connection } from './connection.js';
import type { MessageRow } from './messages.js';
import { rowById } from './messages.js';
import type { OutgoingFd } from './output-queue.js';
import type { RawRequest } from './raw-request.js';
import type { Refusal, Reject } from './refusal.js';
import type { SessionState } from './session-state.js';
import type { Trace } from './trace.js';
import { traceFields } from './trace.js';

const EMPTY: OwnReply = { kind: 'reply', payload: 'none', value: undefined, fds: [] };
const ACK: OwnReply = { kind: 'reply', payload: 'u64', value: 0n, fds: [] };
const NO_INFLIGHT: OwnReply = {
  kind: 'reply',
  payload: 'inflight',
  value: { mmapSize: 0n, mmapOffset: 0n, numQueues: 0, queueSize: 0 },
  fds: [],
};

/** Messages whose own reply has a form that means "no". */
const OWN_REFUSAL: Readonly<Record<string, OwnReply>> = { GET_CONFIG: EMPTY, GET_INFLIGHT_FD: NO_INFLIGHT };

export class BackendAnswers {
  readonly #connection: Connection;
  readonly #state: SessionState;
  readonly #trace: Trace;
  readonly #refused: (text: string) => void;

  /** @param refused hears of every message that was refused while the connection goes on */
  constructor(connection: Connection, state: SessionState, trace: Trace, refused: (text: string) => void) {
    this.#connection = connection;
    this.#state = state;
    this.#trace = trace;
    this.#refused = refused;
  }

  /** The message was handled: its own reply, or an ack if one was asked for. */
  confirm(raw: RawRequest, row: MessageRow, result: 'done' | OwnReply): void {
    if (result !== 'done') {
      this.#reply(row, result);
    } else if (this.#wantsAck(raw)) {
      this.#reply(row, ACK);
    } else if (row.name === 'SET_LOG_BASE') {
      // QEMU waits for an answer that it never asks for, and expects no payload.
      this.#reply(row, EMPTY);
    }
  }

  /** An extern handler handled it: the reply it made, or an ack if one was asked for. */
  confirmExtern(raw: RawRequest, reply: Uint8Array | undefined, fds: readonly OutgoingFd[] = []): void {
    if (reply !== undefined) {
      this.#send(raw, reply, fds);
    } else if (this.#wantsAck(raw)) {
      this.#send(raw, new Uint8Array(8));
    }
  }

  /** The message was understood and refused. Keeps the connection only if the front-end learns of the refusal. */
  refuse(raw: RawRequest, refusal: Refusal): void {
    const message = requestName('frontend', raw.id);
    this.#trace.note('refused', { message, code: refusal.code });
    const row = rowById('frontend', raw.id);
    const ownNo = refusal.code === 'VHOST_NOT_NEGOTIATED' ? undefined : OWN_REFUSAL[message];
    if (row !== undefined && ownNo !== undefined) {
      this.#reply(row, ownNo);
      return;
    }
    const told = this.#nackIfAsked(raw);
    if (!told || refusal.fatal) {
      this.#connection.close({ code: refusal.code, text: refusal.reason, by: 'us', message });
    } else {
      this.#refused(refusal.reason);
    }
  }

  /** The message was not even well-formed: nothing after it can be trusted. */
  reject(raw: RawRequest, reject: Reject): void {
    this.#nackIfAsked(raw);
    this.#connection.close(reasonOf(reject));
  }

  #nackIfAsked(raw: RawRequest): boolean {
    // A reply that carries a payload of its own would be taken for that payload.
    const hasOwnPayload = rowById('frontend', raw.id)?.reply.kind === 'payload';
    if (hasOwnPayload || !this.#wantsAck(raw)) {
      return false;
    }
    const nack = new Uint8Array(8);
    nack[0] = 1;
    return this.#send(raw, nack);
  }

  #wantsAck(raw: RawRequest): boolean {
    return raw.needReply && this.#state.replyAck;
  }

  #reply(row: MessageRow, { payload, value, fds }: OwnReply): void {
    const fields = traceFields({ ...row, payload }, value);
    this.#trace.add({ dir: 'out', name: row.name, reply: true, fds: fds.length, fields });
    this.#connection.send(encodeReply(row, payload, value), fds);
  }

  #send(raw: RawRequest, payload: Uint8Array, fds: readonly OutgoingFd[] = []): boolean {
    const name = requestName('frontend', raw.id);
    const fields = payload.length === 8 ? { u64: BigInt(payload[0] ?? 0) } : { bytes: payload.length };
    this.#trace.add({ dir: 'out', name, reply: true, fds: fds.length, fields });
    return this.#connection.send(encodeMessage(raw.id, VERSION | FLAG_REPLY, payload), fds);
  }
}
