/**
 * Unix sockets, descriptors and readiness, with the checks and the object life times that the flat addon functions leave out.
 * Called by vhost and virtio for their sockets and eventfds; nothing here knows a protocol.
 */
import type { SocketReceive } from './binding.js';
import { PollwireError } from './errors.js';
import { native } from './load.js';

/** Longest socket path the kernel takes, bytes: sun_path is 108 with its terminator (unix(7)). */
export const MAX_SOCKET_PATH = 107;

/** Interest and report masks of {@link watch}. */
export const Ready = { READABLE: 1, WRITABLE: 2, HANGUP: 4 } as const;

/** Throws SOCKET_PATH when `path` cannot be a unix socket's name: empty, with a NUL, or over 107 bytes of UTF-8. */
export function checkSocketPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes === 0) throw new PollwireError('SOCKET_PATH', 'The socket path is empty; give a file name.');
  if (path.includes('\0'))
    throw new PollwireError('SOCKET_PATH', 'The socket path holds a NUL byte; remove it.');
  if (bytes > MAX_SOCKET_PATH) {
    throw new PollwireError(
      'SOCKET_PATH',
      `The socket path ${path} has ${bytes} bytes; ${MAX_SOCKET_PATH} is the limit of the kernel. Use a shorter one.`,
      { errno: -36, details: { path, bytes } },
    );
  }
}

/** Listens on a unix stream socket; returns the descriptor. `backlog` defaults to 16 waiting connections. */
export function listenUnix(path: string, backlog = 16): number {
  checkSocketPath(path);
  return native.listenUnix(path, backlog);
}

/** Connects to a unix stream socket without blocking; returns the descriptor. */
export function connectUnix(path: string): number {
  checkSocketPath(path);
  return native.connectUnix(path);
}

/** Accepts one connection; -1 when none waits. The descriptor is non-blocking and close-on-exec. */
export function acceptUnix(fd: number): number {
  return native.acceptUnix(fd);
}

/** A connected pair of non-blocking stream sockets. */
export function socketPair(): [number, number] {
  return native.socketPair();
}

/** Reads up to `length` bytes into `buffer` from `offset`, with at most 64 descriptors beside them. */
export function receive(
  fd: number,
  buffer: Uint8Array,
  offset = 0,
  length = buffer.length - offset,
): SocketReceive {
  const fds: number[] = [];
  const bytes = native.socketReceive(fd, buffer, offset, length, fds);
  return { bytes, fds };
}

/** Sends bytes with descriptors; returns bytes taken (possibly fewer), -1 when the socket is full. Descriptors stay the caller's. */
export function send(fd: number, bytes: Uint8Array, fds: readonly number[] = [], offset = 0): number {
  return native.socketSend(fd, bytes, offset, bytes.length - offset, fds);
}

/** Closes a descriptor; a negative one is ignored. */
export function close(fd: number): void {
  if (fd >= 0) native.closeFd(fd);
}

/** Closes every descriptor of a list (what a rejected message carried). */
export function closeAll(fds: readonly number[]): void {
  for (const fd of fds) close(fd);
}

/** A registered readiness callback. */
export interface Watch {
  readonly fd: number;
  /** New interest mask ({@link Ready}). */
  modify(interest: number): void;
  /** Whether it keeps the event loop alive (it does at first). */
  ref(): this;
  unref(): this;
  /** No callback after this returns. Does not close the descriptor. Twice is harmless. */
  close(): void;
}

/**
 * Calls `onReady(events)` on this isolate's event loop while `fd` is ready (level-triggered, coalesced).
 * Close the watch before the descriptor.
 */
export function watch(fd: number, interest: number, onReady: (events: number) => void): Watch {
  let open = true;
  const id = native.watchAdd(fd, interest, (events) => {
    if (open) onReady(events);
  });
  const handle: Watch = {
    fd,
    modify: (mask) => {
      if (open) native.watchModify(id, mask);
    },
    ref: () => {
      if (open) native.watchRef(id, true);
      return handle;
    },
    unref: () => {
      if (open) native.watchRef(id, false);
      return handle;
    },
    close: () => {
      if (!open) return;
      open = false;
      native.watchRemove(id);
    },
  };
  return handle;
}
