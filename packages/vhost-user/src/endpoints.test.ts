/** Acceptor and connector on real sockets: stale files, second peers, reconnects, servers that come later. Rows A53, A55, A56, A90, A91 of docs/vhost.md. */
import { existsSync, mkdtempSync, readdirSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PollwireError, sys } from '@pollwire/native';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AcceptorHandler, AcceptorOptions } from './acceptor.js';
import { Acceptor } from './acceptor.js';
import type { ConnectorHandler, ConnectorOptions } from './connector.js';
import { Connector } from './connector.js';
import { deferred } from './deferred.js';
import type { FdSocket } from './fd-socket.js';
import { nativeHost } from './socket-host.js';

const openFds = () => readdirSync('/proc/self/fd').length;

let dir: string;
let path: string;
let open: { close(): void }[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vhost-user-'));
  path = join(dir, 'sock');
  open = [];
});
afterEach(() => {
  for (const item of open) {
    item.close();
  }
  rmSync(dir, { recursive: true, force: true });
});

/** A handler that keeps what connects, and ends a connection when its socket reads the end of the stream. */
function keeper() {
  const sockets: FdSocket[] = [];
  const failures: unknown[] = [];
  let refused = 0;
  const handler: AcceptorHandler = {
    connected: (socket) => {
      sockets.push(socket);
      const end = deferred<undefined>();
      const unwatch = socket.watch({ readable: true }, () => {
        if (socket.receive(new Uint8Array(16), []) === 0) {
          unwatch();
          socket.close();
          end.resolve(undefined);
        }
      });
      open.push({
        close: () => {
          unwatch();
          socket.close();
        },
      });
      return { closed: end.promise };
    },
    refused: () => {
      refused += 1;
    },
    failed: (error) => void failures.push(error),
  };
  return { handler, sockets, failures, refusals: () => refused };
}

function accept(handler: AcceptorHandler, options?: AcceptorOptions): Acceptor {
  const acceptor = new Acceptor(path, handler, options);
  open.push(acceptor);
  return acceptor;
}

function connect(handler: ConnectorHandler, options?: ConnectorOptions): Connector {
  const connector = new Connector(path, handler, options);
  open.push(connector);
  return connector;
}

describe('the acceptor', () => {
  it('serves one peer, turns a second away without harm, and takes the next', async () => {
    const { handler, sockets, refusals } = keeper();
    const acceptor = accept(handler);
    const first = sys.connectUnix(path);
    await vi.waitFor(() => expect(sockets).toHaveLength(1));
    const second = sys.connectUnix(path);
    await vi.waitFor(() => expect(refusals()).toBe(1));
    expect(sys.receive(second, new Uint8Array(1)).bytes).toBe(0);
    expect(sys.receive(first, new Uint8Array(1)).bytes).toBe(-1);
    sys.close(second);
    sys.close(first);
    await vi.waitFor(() => expect(acceptor.connections).toBe(0));
    const third = sys.connectUnix(path);
    await vi.waitFor(() => expect(sockets).toHaveLength(2));
    sys.close(third);
    await vi.waitFor(() => expect(acceptor.connections).toBe(0));
  });

  it('can serve several', async () => {
    const { handler, sockets } = keeper();
    accept(handler, { maxConnections: 2 });
    const fds = [sys.connectUnix(path), sys.connectUnix(path)];
    await vi.waitFor(() => expect(sockets).toHaveLength(2));
    fds.forEach(sys.close);
  });

  it('replaces the file of a dead server, refuses the path of a live one', () => {
    const { handler } = keeper();
    const dead = sys.listenUnix(path);
    sys.close(dead);
    expect(existsSync(path)).toBe(true);
    const acceptor = accept(handler);
    expect(() => new Acceptor(path, handler)).toThrow(expect.objectContaining({ code: 'VHOST_PATH_IN_USE' }));
    expect(acceptor.open).toBe(true);
    acceptor.close();
    expect(existsSync(path)).toBe(false);
  });

  it('leaves the file of a successor alone', () => {
    const { handler } = keeper();
    const acceptor = accept(handler);
    unlinkSync(path);
    const successor = sys.listenUnix(path);
    acceptor.close();
    acceptor.close();
    expect(existsSync(path)).toBe(true);
    sys.close(successor);
  });

  it('keeps connections when it stops, and leaves no descriptor', async () => {
    const before = openFds();
    const { handler, sockets } = keeper();
    const acceptor = accept(handler);
    const fd = sys.connectUnix(path);
    await vi.waitFor(() => expect(sockets).toHaveLength(1));
    acceptor.close();
    sockets[0]?.send(Uint8Array.of(1, 2));
    expect(sys.receive(fd, new Uint8Array(8)).bytes).toBe(2);
    sys.close(fd);
    await vi.waitFor(() => expect(openFds()).toBe(before));
  });

  it('goes on after a peer that its handler cannot take', async () => {
    const { handler, sockets, failures } = keeper();
    let tries = 0;
    const acceptor = accept({
      ...handler,
      connected: (socket) => {
        tries += 1;
        if (tries === 1) {
          throw new Error('no memory for a session');
        }
        return handler.connected(socket);
      },
    });
    const first = sys.connectUnix(path);
    await vi.waitFor(() => expect(failures).toHaveLength(1));
    expect(sys.receive(first, new Uint8Array(1)).bytes).toBe(0);
    expect(acceptor.connections).toBe(0);
    const second = sys.connectUnix(path);
    await vi.waitFor(() => expect(sockets).toHaveLength(1));
    sys.close(first);
    sys.close(second);
  });

  it('backs off and goes on when it cannot accept', async () => {
    const { handler, sockets, failures } = keeper();
    let broken = true;
    const host = {
      ...nativeHost,
      accept: (fd: number) => {
        if (broken) {
          throw new PollwireError('NO_DESCRIPTORS', 'no free file descriptors');
        }
        return nativeHost.accept(fd);
      },
    };
    accept(handler, { host, retryDelay: 20 });
    const fd = sys.connectUnix(path);
    await vi.waitFor(() => expect(failures.length).toBeGreaterThan(0));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(failures.length).toBeLessThan(10);
    broken = false;
    await vi.waitFor(() => expect(sockets).toHaveLength(1));
    sys.close(fd);
  });

  it('gives a clear error for a path it cannot have', () => {
    const { handler } = keeper();
    expect(() => new Acceptor('/proc/none/sock', handler)).toThrow('/proc/none does not exist');
    expect(() => new Acceptor('/proc/sock', handler)).toThrow(
      expect.objectContaining({ code: 'VHOST_LISTEN_FAILED' }),
    );
  });
});

describe('the connector', () => {
  it('waits for a server that comes later, and comes back when it returns', async () => {
    const { handler, sockets } = keeper();
    const waits: PollwireError[] = [];
    const waiting = (error: PollwireError) => void waits.push(error);
    const connector = connect({ ...handler, waiting }, { retryDelay: 10 });
    expect(connector.connected).toBe(false);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(waits).toHaveLength(1);
    expect(waits[0]?.message).toContain('is the server running?');

    for (let round = 1; round <= 3; round += 1) {
      const server = sys.listenUnix(path);
      await vi.waitFor(() => expect(sockets).toHaveLength(round));
      expect(connector.connected).toBe(true);
      const peer = sys.acceptUnix(server);
      sys.close(server);
      unlinkSync(path);
      sys.close(peer);
      await vi.waitFor(() => expect(connector.connected).toBe(false));
    }
    await vi.waitFor(() => expect(waits.length).toBeGreaterThan(1));
  });

  it('connects at once when the server is there, within its constructor', () => {
    const server = sys.listenUnix(path);
    const { handler, sockets } = keeper();
    expect(connect(handler).connected).toBe(true);
    expect(sockets).toHaveLength(1);
    sys.close(server);
  });

  it('without reconnect fails at once', () => {
    const { handler } = keeper();
    expect(() => connect(handler, { reconnect: false })).toThrow(
      expect.objectContaining({ code: 'VHOST_CONNECT_FAILED' }),
    );
    const stale = sys.listenUnix(path);
    sys.close(stale);
    expect(() => connect(handler, { reconnect: false })).toThrow(path);
  });

  it('without reconnect does not come back', async () => {
    const server = sys.listenUnix(path);
    const { handler, sockets } = keeper();
    const connector = connect(handler, { reconnect: false, retryDelay: 5 });
    sys.close(sys.acceptUnix(server));
    await vi.waitFor(() => expect(connector.connected).toBe(false));
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(sockets).toHaveLength(1);
    sys.close(server);
  });

  it('stops at once', async () => {
    const { handler, sockets } = keeper();
    const connector = connect(handler, { retryDelay: 5 });
    connector.close();
    const server = sys.listenUnix(path);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(sockets).toHaveLength(0);
    sys.close(server);
  });

  it('refuses a path that no socket can have', () => {
    const { handler } = keeper();
    expect(() => new Connector('x'.repeat(108), handler)).toThrow(
      expect.objectContaining({ code: 'VHOST_BAD_PATH' }),
    );
  });
});
