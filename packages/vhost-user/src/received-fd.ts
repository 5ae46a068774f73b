/**
 * A file descriptor that came with a message. Whoever handles the message takes it; what nobody took is closed when
 * the message is done, so a refused, failed or forgotten message leaks nothing (reliability R11).
 */

/** A descriptor of the peer's, owned by the message until taken. */
export interface ReceivedFd {
  /** The number, for inspection (fstat, mmap) while the message is being handled. Not an ownership transfer. */
  readonly value: number;
  /** Whether somebody owns it already, or it is closed. */
  readonly taken: boolean;
  /** Become the owner: from here on the caller closes it. Throws when it was taken or closed before. */
  take(): number;
}

/** The session's side of a {@link ReceivedFd}. */
export class FdHolder implements ReceivedFd {
  readonly value: number;
  readonly #close: (fd: number) => void;
  #taken = false;

  constructor(value: number, close: (fd: number) => void) {
    this.value = value;
    this.#close = close;
  }

  get taken(): boolean {
    return this.#taken;
  }

  take(): number {
    if (this.#taken) {
      throw new Error(`file descriptor ${this.value} was already taken or closed`);
    }
    this.#taken = true;
    return this.value;
  }

  /** Close it unless somebody took it. */
  release(): void {
    if (!this.#taken) {
      this.#taken = true;
      this.#close(this.value);
    }
  }
}

/** Close every descriptor in the list that nobody took. */
export function releaseAll(fds: readonly FdHolder[]): void {
  for (const fd of fds) {
    fd.release();
  }
}
