/** The far end of a memory socket, driven by hand: sends any bytes, reads what came back as frames. */
import { encodeMessage, encodeRequest, FLAG_NEED_REPLY, HEADER_SIZE, VERSION } from '../codec.js';
import type { Direction, MessageRow, PayloadOf, RequestName } from '../messages.js';
import { BACKEND_REQUESTS, FRONTEND_REQUESTS, rowById } from '../messages.js';
import type { MemorySocket } from './memory-socket.js';

/** A frame as it came over the socket. */
export interface SeenFrame {
  readonly name: string;
  readonly request: number;
  readonly flags: number;
  readonly payload: Uint8Array;
  /** The payload as a number, when it has 8 bytes. */
  readonly u64: bigint | undefined;
  readonly fds: readonly number[];
}

export class RawPeer {
  readonly socket: MemorySocket;
  readonly #direction: Direction;

  /** @param direction whose requests travel here */
  constructor(socket: MemorySocket, direction: Direction = 'frontend') {
    this.socket = socket;
    this.#direction = direction;
  }

  /** Send a request of the table, with descriptors that the call opens and the peer then owns a copy of. */
  send<N extends RequestName>(
    name: N,
    payload: PayloadOf<N>,
    options: { readonly needReply?: boolean; readonly fds?: number | readonly number[] } = {},
  ): void {
    const rows: Readonly<Record<string, MessageRow>> = { ...FRONTEND_REQUESTS, ...BACKEND_REQUESTS };
    const row = rows[name];
    if (row === undefined) {
      throw new Error(`no row ${name}`);
    }
    this.sendBytes(encodeRequest(row, payload, options.needReply ?? false), options.fds ?? 0);
  }

  /** Send a request by number with any payload. */
  sendRaw(
    request: number,
    payload: Uint8Array,
    options: { readonly needReply?: boolean; readonly fds?: number } = {},
  ): void {
    const flags = VERSION | (options.needReply === true ? FLAG_NEED_REPLY : 0);
    this.sendBytes(encodeMessage(request, flags, payload), options.fds ?? 0);
  }

  /** Send bytes; with a number of descriptors they are opened for it and this end's copies closed at once. */
  sendBytes(bytes: Uint8Array, fds: number | readonly number[] = 0): void {
    const given = typeof fds === 'number' ? Array.from({ length: fds }, () => this.socket.table.open()) : fds;
    const sent = this.socket.send(bytes, given);
    if (typeof fds === 'number') {
      for (const fd of given) {
        this.socket.table.close(fd);
      }
    }
    if (sent !== bytes.length) {
      throw new Error(`the memory socket took ${sent} of ${bytes.length} bytes`);
    }
  }

  /** Every whole frame that is there now. */
  frames(): SeenFrame[] {
    const seen: SeenFrame[] = [];
    for (;;) {
      const fds: number[] = [];
      const header = new Uint8Array(HEADER_SIZE);
      if (this.socket.receive(header, fds) !== HEADER_SIZE) {
        return seen;
      }
      const view = new DataView(header.buffer);
      const payload = new Uint8Array(view.getUint32(8, true));
      if (payload.length > 0) {
        this.socket.receive(payload, fds);
      }
      const request = view.getUint32(0, true);
      seen.push({
        name: rowById(this.#direction, request)?.name ?? `request ${request}`,
        request,
        flags: view.getUint32(4, true),
        payload,
        u64: payload.length === 8 ? new DataView(payload.buffer).getBigUint64(0, true) : undefined,
        fds,
      });
    }
  }

  /** Whether the other end has closed. */
  get peerGone(): boolean {
    try {
      return this.socket.receive(new Uint8Array(1), []) === 0;
    } catch {
      return true;
    }
  }
}
