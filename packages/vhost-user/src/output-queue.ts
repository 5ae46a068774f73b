/** Bytes and descriptors waiting for a socket that is full. Bounded by its owner, drained when writable. */
import type { FdSocket } from './fd-socket.js';

/** A descriptor on its way out, and whether its number is closed once it was sent (or never will be). */
export interface OutgoingFd {
  readonly fd: number;
  readonly close: boolean;
}

interface Entry {
  bytes: Uint8Array;
  fds: readonly OutgoingFd[];
}

export class OutputQueue {
  readonly #socket: FdSocket;
  readonly #entries: Entry[] = [];
  #bytes = 0;

  constructor(socket: FdSocket) {
    this.#socket = socket;
  }

  /** Bytes not yet taken by the socket. */
  get bytes(): number {
    return this.#bytes;
  }

  push(bytes: Uint8Array, fds: readonly OutgoingFd[]): void {
    this.#entries.push({ bytes, fds });
    this.#bytes += bytes.length;
  }

  /**
   * Write until empty or the socket is full. Throws what the socket throws.
   * @returns whether anything moved
   */
  flush(): boolean {
    let moved = false;
    for (let entry = this.#entries[0]; entry !== undefined; entry = this.#entries[0]) {
      const sent = this.#socket.send(
        entry.bytes,
        entry.fds.map((item) => item.fd),
      );
      if (sent <= 0) {
        break;
      }
      moved = true;
      this.#bytes -= sent;
      this.#closeFds(entry);
      if (sent === entry.bytes.length) {
        this.#entries.shift();
      } else {
        entry.bytes = entry.bytes.subarray(sent);
      }
    }
    return moved;
  }

  /** Drop everything and close the descriptors that were to be closed. */
  dispose(): void {
    for (const entry of this.#entries) {
      this.#closeFds(entry);
    }
    this.#entries.length = 0;
    this.#bytes = 0;
  }

  /** The descriptors went with the first byte, or never will: they are done with either way. */
  #closeFds(entry: Entry): void {
    for (const item of entry.fds) {
      if (item.close) {
        this.#socket.closeFd(item.fd);
      }
    }
    entry.fds = [];
  }
}
