/**
 * The front-end's end of the back-end channel: receives the device's requests (IOTLB misses, configuration changes,
 * host notifiers, in-band notifications) and acks what asks for it.
 */
import type { Outcome } from './backend-handler.js';
import type { CloseReason } from './close-reason.js';
import { reasonOf } from './close-reason.js';
import { decodeRequest, encodeReply, FLAG_NEED_REPLY } from './codec.js';
import { Connection } from './connection.js';
import { deferred } from './deferred.js';
import type { FdSocket } from './fd-socket.js';
import type { Frame } from './frame-reader.js';
import { chain } from './maybe-promise.js';
import type { BackendMessage } from './messages.js';
import { BACKEND_REQUESTS } from './messages.js';
import type { IotlbMessage, VringArea } from './payloads.js';
import { IotlbType } from './payloads.js';
import type { ReceivedFd } from './received-fd.js';
import { isRefusal, isReject, refuse } from './refusal.js';
import type { Trace } from './trace.js';
import { traceFields } from './trace.js';

/** What a driver does with the device's requests. An absent method refuses the request. */
export interface FrontendChannelHandler {
  /** The device needs a translation; answer with `iotlbUpdate` on the main socket. */
  iotlbMiss?(message: IotlbMessage): Outcome;
  iotlbAccessFail?(message: IotlbMessage): Outcome;
  /** The configuration space changed. */
  configChanged?(): Outcome;
  /** A notify area for a ring, or none any more (fd undefined). */
  hostNotifier?(area: VringArea, fd: ReceivedFd | undefined): Outcome;
  vringCall?(index: number): Outcome;
  vringErr?(index: number): Outcome;
}

export class FrontendChannel {
  readonly closed: Promise<CloseReason>;
  readonly #handler: FrontendChannelHandler;
  readonly #connection: Connection;
  readonly #trace: Trace;

  constructor(socket: FdSocket, handler: FrontendChannelHandler, trace: Trace) {
    this.#handler = handler;
    this.#trace = trace;
    const end = deferred<CloseReason>();
    this.closed = end.promise;
    const receiver = { frame: (frame: Frame) => this.#frame(frame), closed: end.resolve };
    this.#connection = new Connection(socket, 'backend', 'request', receiver, { handshakeTimeout: 0 });
    this.#connection.start();
  }

  get open(): boolean {
    return this.#connection.open;
  }

  /** Handle what is there now, without waiting for readiness. */
  poll(): number {
    return this.#connection.poll();
  }

  close(text: string): void {
    this.#connection.close({ code: 'VHOST_CLOSED', text, by: 'us' });
  }

  #frame(frame: Frame): void | Promise<void> {
    const message = decodeRequest('backend', frame.headerBytes, frame.payload, frame.fds);
    if (isReject(message)) {
      this.#connection.close(reasonOf(message));
      return;
    }
    const { name, row, needReply, payload, fds } = message;
    this.#trace.add({ dir: 'in', name, needReply, fds: fds.length, fields: traceFields(row, payload) });
    return chain(this.#act(message), (refusal) => {
      if ((frame.header.flags & FLAG_NEED_REPLY) !== 0) {
        const value = isRefusal(refusal) ? 1n : 0n;
        this.#trace.add({ dir: 'out', name, reply: true, fields: { u64: value } });
        this.#connection.send(encodeReply(BACKEND_REQUESTS[name], 'u64', value));
      }
    }) as void | Promise<void>;
  }

  #act(message: BackendMessage): Outcome {
    const handler = this.#handler;
    const unsupported = refuse(`${message.name} is not supported here`, 'VHOST_NOT_SUPPORTED');
    switch (message.name) {
      case 'BACKEND_IOTLB_MSG': {
        const { type } = message.payload;
        const method = type === IotlbType.MISS ? 'iotlbMiss' : 'iotlbAccessFail';
        const legal = type === IotlbType.MISS || type === IotlbType.ACCESS_FAIL;
        return legal && handler[method] !== undefined ? handler[method](message.payload) : unsupported;
      }
      case 'BACKEND_CONFIG_CHANGE_MSG':
        return handler.configChanged === undefined ? unsupported : handler.configChanged();
      case 'BACKEND_VRING_HOST_NOTIFIER_MSG':
        return handler.hostNotifier === undefined
          ? unsupported
          : handler.hostNotifier(message.payload, message.fds[0]);
      case 'BACKEND_VRING_CALL':
        return handler.vringCall === undefined ? unsupported : handler.vringCall(message.payload.index);
      case 'BACKEND_VRING_ERR':
        return handler.vringErr === undefined ? unsupported : handler.vringErr(message.payload.index);
      default:
        return unsupported;
    }
  }
}
