/**
 * Client mode: connects to the peer's socket, tries again until it is there, and again when the connection ends.
 * Never blocks; stopping is immediate.
 */
import { PollwireError } from '@pollwire/native';
import type { AcceptorHandler } from './acceptor.js';
import { connect } from './acceptor.js';
import type { SocketHost } from './socket-host.js';
import { isServerAway, nativeHost } from './socket-host.js';
import { checkSocketPath } from './socket-path.js';

export interface ConnectorHandler extends Pick<AcceptorHandler, 'connected' | 'failed'> {
  /** The server is not there; another try follows. Called once for each time it is away, not for each try. */
  waiting?(error: PollwireError): void;
}

export interface ConnectorOptions {
  /** Keep trying, and come back after a connection ends. False: one try, in the constructor, that throws. Default true. */
  readonly reconnect?: boolean;
  /** Between tries, milliseconds. Default 250. */
  readonly retryDelay?: number;
  readonly host?: SocketHost;
}

export class Connector {
  readonly path: string;
  readonly #handler: ConnectorHandler;
  readonly #host: SocketHost;
  readonly #reconnect: boolean;
  readonly #retryDelay: number;
  #timer: NodeJS.Timeout | undefined;
  #connected = false;
  #waiting = false;
  #open = true;

  /**
   * Try at once; `handler.connected` may be called before this returns.
   * @throws PollwireError `VHOST_BAD_PATH`; without reconnect also `VHOST_CONNECT_FAILED`
   */
  constructor(path: string, handler: ConnectorHandler, options: ConnectorOptions = {}) {
    checkSocketPath(path);
    this.path = path;
    this.#handler = handler;
    this.#host = options.host ?? nativeHost;
    this.#reconnect = options.reconnect ?? true;
    this.#retryDelay = options.retryDelay ?? 250;
    const error = this.#try();
    if (error !== undefined && !this.#reconnect) {
      this.#open = false;
      throw error;
    }
  }

  get connected(): boolean {
    return this.#connected;
  }

  get open(): boolean {
    return this.#open;
  }

  /** Stop trying. A connection that exists goes on. */
  close(): void {
    this.#open = false;
    clearTimeout(this.#timer);
  }

  /** One try; the error that it ended with. */
  #try(): PollwireError | undefined {
    let fd: number;
    try {
      fd = this.#host.connect(this.path);
    } catch (error) {
      return this.#missed(error);
    }
    this.#waiting = false;
    const connection = connect(this.#host, fd, this.#handler);
    if (connection === undefined) {
      this.#later();
      return new PollwireError('VHOST_CONNECT_FAILED', `the connection to ${this.path} was not taken`);
    }
    this.#connected = true;
    const again = () => {
      this.#connected = false;
      this.#later();
    };
    void connection.closed.then(again, again);
    return undefined;
  }

  #missed(cause: unknown): PollwireError {
    const why = cause instanceof Error ? cause.message : String(cause);
    const hint = isServerAway(cause) ? 'is the server running?' : why;
    const text = `cannot connect to ${this.path}: ${hint === why ? why : `${why}; ${hint}`}`;
    const error = new PollwireError('VHOST_CONNECT_FAILED', text, { cause, details: { path: this.path } });
    if (this.#reconnect && !this.#waiting) {
      this.#waiting = true;
      this.#handler.waiting?.(error);
    }
    this.#later();
    return error;
  }

  #later(): void {
    if (this.#open && this.#reconnect) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#try(), this.#retryDelay);
    }
  }
}
