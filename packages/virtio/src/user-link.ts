/**
 * The connection of a virtio-user port: finds a back-end (as client, again and again, or as server), negotiates with deadlines, and
 * tells the port. Knows sockets and messages, no rings.
 */
import { PollwireError } from '@pollwire/native';
import type { FdSocket, Negotiated } from '@pollwire/vhost-user';
import { Acceptor, Connector, FrontendClient, negotiate } from '@pollwire/vhost-user';

export interface UserLinkOptions {
  readonly path: string;
  /** Listen instead of connecting. */
  readonly server: boolean;
  readonly features: bigint;
  readonly required: bigint;
  /** Queue pairs that the back-end must have. */
  readonly queues: () => number;
}

/** A back-end that is connected and has answered. */
export interface Backend {
  readonly client: FrontendClient;
  readonly negotiated: Negotiated;
}

export interface UserLinkListener {
  /** A back-end is there and its features are known. */
  found(): void;
  /** The back-end that was found is gone. */
  lost(reason: string): void;
  /** Something did not work; another try follows by itself. */
  problem(text: string): void;
}

export class UserLink {
  #backend: Backend | undefined;
  #client: FrontendClient | undefined;
  #endpoint: Acceptor | Connector | undefined;
  #closed = false;
  readonly #options: UserLinkOptions;
  readonly #listener: UserLinkListener;

  constructor(options: UserLinkOptions, listener: UserLinkListener) {
    this.#options = options;
    this.#listener = listener;
  }

  /** The back-end, while one is connected and negotiated. */
  get backend(): Backend | undefined {
    return this.#backend;
  }

  /**
   * Begins. As a client, resolves when the first back-end has answered and rejects when there is none; as a server, listens and
   * resolves at once.
   * @throws PollwireError `VIRTIO_NO_BACKEND`, `VHOST_BAD_PATH`, `VHOST_PATH_IN_USE`, `VIRTIO_TOO_FEW_QUEUES`, `VHOST_BAD_FEATURES`, `VHOST_REPLY_TIMEOUT` …
   */
  async open(): Promise<void> {
    const { path, server } = this.#options;
    const failed = (error: unknown) => this.#listener.problem((error as Error).message);
    if (server) {
      const refused = () =>
        this.#listener.problem(`${path}: a second back-end was turned away; one is connected`);
      this.#endpoint = new Acceptor(path, { connected: (socket) => this.#accepted(socket), failed, refused });
      return;
    }
    // The first connection decides whether the port can exist; later ones are retried without end.
    let first: Promise<void> | undefined;
    const connected = (socket: FdSocket) => {
      if (first !== undefined) return this.#accepted(socket);
      const client = this.#adopt(socket);
      first = this.#negotiate(client);
      return client;
    };
    this.#endpoint = new Connector(path, { connected, failed });
    if (first === undefined) {
      this.close();
      const remedy = 'start the back-end first, or let this port listen with server=1';
      throw new PollwireError('VIRTIO_NO_BACKEND', `No vhost-user back-end listens on ${path}; ${remedy}.`);
    }
    try {
      await first;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Hangs up and stops looking. */
  close(): void {
    this.#closed = true;
    this.#endpoint?.close();
    this.#client?.close();
  }

  #accepted(socket: FdSocket): FrontendClient {
    const client = this.#adopt(socket);
    this.#negotiate(client).catch((error: unknown) => {
      this.#listener.problem(`${this.#options.path}: ${(error as Error).message}`);
      client.close('negotiation failed');
    });
    return client;
  }

  #adopt(socket: FdSocket): FrontendClient {
    const client = new FrontendClient(socket);
    this.#client = client;
    void client.closed.then((reason) => {
      if (this.#backend?.client !== client) return;
      this.#backend = undefined;
      if (!this.#closed) this.#listener.lost(reason.text);
    });
    return client;
  }

  async #negotiate(client: FrontendClient): Promise<void> {
    const { features, required, queues } = this.#options;
    const negotiated = await negotiate(client, { features, required });
    checkQueues(negotiated.queueNum, queues());
    if (this.#closed || !client.open) return;
    this.#backend = { client, negotiated };
    this.#listener.found();
  }
}

function checkQueues(offered: number | undefined, needed: number): void {
  if (offered === undefined || offered >= needed) return;
  const fewer = offered === 0 ? '' : `attach with queues=${offered}, or `;
  const text = `the back-end has ${offered} queue pairs, this port uses ${needed}; ${fewer}give the back-end more queues`;
  throw new PollwireError('VIRTIO_TOO_FEW_QUEUES', text);
}
