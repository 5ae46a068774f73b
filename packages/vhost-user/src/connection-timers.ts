/** The three deadlines of a connection: first message, rest of a message, peer that does not read. None keeps Node alive. */
import type { CloseReason } from './close-reason.js';
import type { ConnectionLimits } from './connection-limits.js';

type Timer = NodeJS.Timeout | undefined;

export class ConnectionTimers {
  readonly #limits: Required<ConnectionLimits>;
  readonly #expire: (reason: CloseReason) => void;
  #handshake: Timer;
  #partial: Timer;
  #output: Timer;

  constructor(limits: Required<ConnectionLimits>, expire: (reason: CloseReason) => void) {
    this.#limits = limits;
    this.#expire = expire;
  }

  startHandshake(): void {
    const limit = this.#limits.handshakeTimeout;
    this.#handshake = this.#start(limit, () => {
      const text = `no message within ${limit} ms of the connection`;
      return { code: 'VHOST_HANDSHAKE_TIMEOUT', text, by: 'us' };
    });
  }

  endHandshake(): void {
    clearTimeout(this.#handshake);
    this.#handshake = undefined;
  }

  /** The deadline runs from the first byte: a drip of single bytes does not extend it. */
  partial(pending: boolean, progress: () => string): void {
    if (!pending) {
      clearTimeout(this.#partial);
      this.#partial = undefined;
      return;
    }
    const limit = this.#limits.partialTimeout;
    this.#partial ??= this.#start(limit, () => {
      const text = `a message was not finished within ${limit} ms: ${progress()} arrived`;
      return { code: 'VHOST_PARTIAL_MESSAGE', text, by: 'us' };
    });
  }

  /** Every byte that the peer reads extends the deadline. */
  output(pending: boolean, moved: boolean, waiting: () => number): void {
    if (!pending || moved) {
      clearTimeout(this.#output);
      this.#output = undefined;
    }
    if (pending) {
      const limit = this.#limits.writeTimeout;
      this.#output ??= this.#start(limit, () => {
        const text = `the peer read nothing for ${limit} ms while ${waiting()} bytes wait`;
        return { code: 'VHOST_PEER_NOT_READING', text, by: 'us' };
      });
    }
  }

  stop(): void {
    for (const timer of [this.#handshake, this.#partial, this.#output]) {
      clearTimeout(timer);
    }
  }

  #start(limit: number, reason: () => CloseReason): Timer {
    return limit > 0 ? setTimeout(() => this.#expire(reason()), limit).unref() : undefined;
  }
}
