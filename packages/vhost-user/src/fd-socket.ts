/**
 * The one thing this package asks of an operating system: a byte stream that can carry file descriptors.
 * Implemented over real sockets in native-socket.ts and in memory in testing/memory-socket.ts.
 */

/** What a caller wants to hear about. An absent member means "not interested". */
export interface WatchInterest {
  readonly readable?: boolean;
  readonly writable?: boolean;
}

/** What a socket has become, in one callback. */
export interface Readiness {
  readonly readable: boolean;
  readonly writable: boolean;
  readonly hangup: boolean;
}

/** A connected, non-blocking AF_UNIX stream socket that passes file descriptors. */
export interface FdSocket {
  /** The descriptor number, for logs only. */
  readonly fd: number;
  /**
   * Read up to `buffer.length` bytes. Received descriptors are appended to `fds`: they are close-on-exec and belong
   * to the caller, who gives each back to {@link FdSocket.closeFd}.
   * @returns bytes read (> 0), 0 at the end of the stream, -1 when nothing is there now
   * @throws PollwireError; code `BAD_FD_COUNT` or `SOCKET_TRUNCATED` when control data was cut (what did arrive is
   * already closed), `PEER_CLOSED` or the errno name otherwise
   */
  receive(buffer: Uint8Array, fds: number[]): number;
  /**
   * Write bytes, with descriptors attached to the first of them. The descriptors are not closed.
   * @returns bytes written, or -1 when the socket is full
   * @throws PollwireError with code `PEER_CLOSED` or the errno name (`EPIPE`); never a signal
   */
  send(buffer: Uint8Array, fds?: readonly number[]): number;
  /**
   * Readiness callbacks, coalesced; `readable` fires again while data is left unread.
   * @returns a disposer; after it no further callback comes
   */
  watch(interest: WatchInterest, ready: (what: Readiness) => void): () => void;
  /** Close a descriptor that {@link FdSocket.receive} delivered. */
  closeFd(fd: number): void;
  /** Close the socket itself. Closing twice is harmless. */
  close(): void;
}
