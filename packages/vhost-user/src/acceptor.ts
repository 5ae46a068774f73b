/**
 * Server mode: owns the socket file, accepts front-ends (or back-ends) one at a time and refuses a second one without
 * touching the first. After a connection ends it accepts the next.
 */
import { PollwireError } from '@pollwire/native';
import type { FdSocket } from './fd-socket.js';
import type { SocketHost } from './socket-host.js';
import { nativeHost, probe } from './socket-host.js';
import { prepareSocketPath, removeOwnSocket, socketIdentity } from './socket-path.js';

/** Anything that ends: a BackendSession, a FrontendClient. */
export interface Ending {
  readonly closed: Promise<unknown>;
}

export interface AcceptorHandler {
  /** A peer has connected: take the socket over and answer what tells its end. A throw closes the socket. */
  connected(socket: FdSocket): Ending;
  /** A further peer was turned away because the place is taken. */
  refused?(): void;
  /** `connected` threw, or accepting failed (for instance no free descriptors). The acceptor goes on. */
  failed?(error: unknown): void;
}

export interface AcceptorOptions {
  /** Connections at a time. Default 1. */
  readonly maxConnections?: number;
  /** Pause after a failed accept, so that it is not retried in a busy loop; milliseconds. Default 250. */
  readonly retryDelay?: number;
  readonly host?: SocketHost;
}

export class Acceptor {
  readonly path: string;
  readonly #handler: AcceptorHandler;
  readonly #host: SocketHost;
  readonly #max: number;
  readonly #retryDelay: number;
  readonly #fd: number;
  readonly #file: { dev: number; ino: number } | undefined;
  #unwatch: (() => void) | undefined;
  #retry: NodeJS.Timeout | undefined;
  #connections = 0;
  #open = true;

  /**
   * Listen at once.
   * @throws PollwireError `VHOST_BAD_PATH`, `VHOST_PATH_IN_USE`, `VHOST_LISTEN_FAILED`
   */
  constructor(path: string, handler: AcceptorHandler, options: AcceptorOptions = {}) {
    this.path = path;
    this.#handler = handler;
    this.#host = options.host ?? nativeHost;
    this.#max = options.maxConnections ?? 1;
    this.#retryDelay = options.retryDelay ?? 250;
    prepareSocketPath(path, (target) => probe(this.#host, target));
    this.#fd = listen(this.#host, path);
    this.#file = socketIdentity(path);
    this.#watch();
  }

  /** Peers connected now. */
  get connections(): number {
    return this.#connections;
  }

  get open(): boolean {
    return this.#open;
  }

  /** Stop listening and remove the socket file. Connections that exist go on. */
  close(): void {
    if (this.#open) {
      this.#open = false;
      this.#unwatch?.();
      clearTimeout(this.#retry);
      this.#host.close(this.#fd);
      removeOwnSocket(this.path, this.#file);
    }
  }

  #watch(): void {
    this.#unwatch = this.#host.watchConnections(this.#fd, () => this.#acceptAll());
  }

  #acceptAll(): void {
    while (this.#open) {
      let fd: number;
      try {
        fd = this.#host.accept(this.#fd);
      } catch (error) {
        this.#backOff(error);
        return;
      }
      if (fd < 0) {
        return;
      }
      this.#accepted(fd);
    }
  }

  #accepted(fd: number): void {
    if (this.#connections >= this.#max) {
      this.#host.close(fd);
      this.#handler.refused?.();
      return;
    }
    const connection = connect(this.#host, fd, this.#handler);
    if (connection !== undefined) {
      this.#connections += 1;
      const free = () => {
        this.#connections -= 1;
      };
      void connection.closed.then(free, free);
    }
  }

  /** The listening socket stays ready while accept fails: look away for a moment. */
  #backOff(error: unknown): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#handler.failed?.(error);
    this.#retry = setTimeout(() => this.#watch(), this.#retryDelay);
  }
}

function listen(host: SocketHost, path: string): number {
  try {
    return host.listen(path);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new PollwireError('VHOST_LISTEN_FAILED', `cannot listen on ${path}: ${why}`, {
      cause: error,
      details: { path },
    });
  }
}

/** Hand a fresh descriptor to a handler; undefined when it does not want it or fails (the descriptor is closed). */
export function connect(
  host: SocketHost,
  fd: number,
  handler: Pick<AcceptorHandler, 'connected' | 'failed'>,
): Ending | undefined {
  let socket: FdSocket;
  try {
    socket = host.open(fd);
  } catch (error) {
    host.close(fd);
    handler.failed?.(error);
    return undefined;
  }
  try {
    return handler.connected(socket);
  } catch (error) {
    socket.close();
    handler.failed?.(error);
    return undefined;
  }
}
