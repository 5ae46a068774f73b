/**
 * Cuts a byte stream into vhost-user frames without blocking, whatever the chunking. Reads exactly one header, then
 * exactly its payload: descriptors then belong to the message whose first byte they came with, since the kernel never
 * glues the bytes behind a descriptor to later ones. Descriptors in the middle of a message are an error.
 */
import type { Expectation, Header } from './codec.js';
import { decodeHeader, HEADER_SIZE, requestName } from './codec.js';
import type { FdSocket } from './fd-socket.js';
import type { Direction } from './messages.js';
import { FdHolder, releaseAll } from './received-fd.js';
import type { Reject } from './refusal.js';
import { reject } from './refusal.js';

/** One whole message, not yet decoded. The byte arrays are the receiver's own. */
export interface Frame {
  readonly header: Header;
  readonly headerBytes: Uint8Array;
  readonly payload: Uint8Array;
  readonly fds: readonly FdHolder[];
}

/** A frame, nothing more to read now, the end of the stream, or a stream that makes no sense. */
export type ReadResult = Frame | 'again' | 'end' | Reject;

const NO_BYTES = new Uint8Array(0);

export class FrameReader {
  readonly #socket: FdSocket;
  readonly #direction: Direction;
  readonly #expect: Expectation;
  #headerBytes = new Uint8Array(HEADER_SIZE);
  #header: Header | undefined;
  #payload: Uint8Array = NO_BYTES;
  /** Bytes of the current message that have arrived, header included. */
  #have = 0;
  #fds: FdHolder[] = [];

  constructor(socket: FdSocket, direction: Direction, expect: Expectation) {
    this.#socket = socket;
    this.#direction = direction;
    this.#expect = expect;
  }

  /** Whether a message has begun and not ended. */
  get partial(): boolean {
    return this.#have > 0;
  }

  /** How much of the current message is there, in words. */
  get progress(): string {
    if (this.#header === undefined) {
      return `${this.#have} of ${HEADER_SIZE} header bytes`;
    }
    const name = requestName(this.#direction, this.#header.request);
    return `${this.#have - HEADER_SIZE} of ${this.#header.size} payload bytes of ${name}`;
  }

  /** Read on until a frame is whole. Throws what the socket throws. */
  read(): ReadResult {
    for (;;) {
      if (this.#header !== undefined && this.#have === HEADER_SIZE + this.#header.size) {
        return this.#finish(this.#header);
      }
      const result = this.#receive();
      if (result !== undefined) {
        return result;
      }
    }
  }

  /** Close the descriptors of an unfinished message. */
  dispose(): void {
    releaseAll(this.#fds);
    this.#reset();
  }

  /** One read towards the current message; undefined: go on. */
  #receive(): ReadResult | undefined {
    const atStart = this.#have === 0;
    const target =
      this.#header === undefined
        ? this.#headerBytes.subarray(this.#have)
        : this.#payload.subarray(this.#have - HEADER_SIZE);
    const numbers: number[] = [];
    const count = this.#socket.receive(target, numbers);
    for (const fd of numbers) {
      this.#fds.push(new FdHolder(fd, (value) => this.#socket.closeFd(value)));
    }
    if (count < 0) {
      return 'again';
    }
    if (count === 0) {
      return 'end';
    }
    this.#have += count;
    if (numbers.length > 0 && !atStart) {
      return this.#strayFds(numbers.length);
    }
    if (this.#header === undefined && this.#have === HEADER_SIZE) {
      const header = decodeHeader(this.#headerBytes, this.#direction, this.#expect);
      if ('kind' in header) {
        return header;
      }
      this.#header = header;
      this.#payload = header.size === 0 ? NO_BYTES : new Uint8Array(header.size);
    }
    return undefined;
  }

  #finish(header: Header): Frame {
    const frame = { header, headerBytes: this.#headerBytes, payload: this.#payload, fds: this.#fds };
    this.#headerBytes = new Uint8Array(HEADER_SIZE);
    this.#reset();
    return frame;
  }

  #reset(): void {
    this.#header = undefined;
    this.#payload = NO_BYTES;
    this.#have = 0;
    this.#fds = [];
  }

  #strayFds(count: number): Reject {
    const message =
      this.#header === undefined ? 'header' : requestName(this.#direction, this.#header.request);
    return reject({
      code: 'VHOST_STRAY_FDS',
      message,
      field: 'file descriptors in the middle of a message',
      value: String(count),
      limit: 'descriptors come with the first byte of their message',
    });
  }
}
