/** What acceptor and connector need of an operating system. The default is the native edge; tests put a fake here. */
import { isRetryable, PollwireError, sys } from '@pollwire/native';
import type { FdSocket } from './fd-socket.js';
import { nativeSocket } from './native-socket.js';

export interface SocketHost {
  /** Bind and listen; the descriptor. */
  listen(path: string): number;
  /** Connect without blocking; the descriptor. Throws a PollwireError. */
  connect(path: string): number;
  /** One waiting connection, -1 when there is none. */
  accept(fd: number): number;
  /** Call back while a listening descriptor has connections; returns a disposer. */
  watchConnections(fd: number, ready: () => void): () => void;
  /** Wrap a connected descriptor. */
  open(fd: number): FdSocket;
  close(fd: number): void;
}

export const nativeHost: SocketHost = {
  listen: (path) => sys.listenUnix(path),
  connect: (path) => sys.connectUnix(path),
  accept: (fd) => sys.acceptUnix(fd),
  watchConnections: (fd, ready) => {
    const watch = sys.watch(fd, sys.Ready.READABLE, ready);
    return () => watch.close();
  },
  open: nativeSocket,
  close: (fd) => sys.close(fd),
};

const ABSENT = new Set(['ENOENT', 'NOT_FOUND', 'ECONNREFUSED', 'CONNECTION_REFUSED']);
const FULL = new Set(['EAGAIN', 'AGAIN']);

/** Whether a failed connect can succeed later: no server yet, or one whose backlog is full. */
export function isServerAway(error: unknown): boolean {
  return (
    error instanceof PollwireError && (ABSENT.has(error.code) || FULL.has(error.code) || isRetryable(error))
  );
}

/** Look behind a socket file by connecting: somebody, or nobody. Throws what is neither. */
export function probe(host: SocketHost, path: string): 'live' | 'stale' {
  try {
    host.close(host.connect(path));
    return 'live';
  } catch (error) {
    if (error instanceof PollwireError && FULL.has(error.code)) {
      return 'live';
    }
    if (error instanceof PollwireError && ABSENT.has(error.code)) {
      return 'stale';
    }
    throw error;
  }
}
