/** FdSocket over a real socket, by the native edge. The one file of this package that reaches the operating system. */
import { native, PollwireError, sys } from '@pollwire/native';
import type { FdSocket, Readiness, WatchInterest } from './fd-socket.js';

/**
 * Wrap a connected unix stream socket.
 * @param fd owned by the returned socket from now on, unless this throws
 * @throws PollwireError `VHOST_BAD_FD_TYPE` when the descriptor is no socket
 */
export function nativeSocket(fd: number): FdSocket {
  const { kind } = native.describeFd(fd);
  if (kind !== 'socket') {
    throw new PollwireError('VHOST_BAD_FD_TYPE', `the descriptor is a ${kind}, not a socket`);
  }
  return new NativeSocket(fd);
}

class NativeSocket implements FdSocket {
  readonly fd: number;
  #open = true;

  constructor(fd: number) {
    this.fd = fd;
  }

  receive(buffer: Uint8Array, fds: number[]): number {
    const result = sys.receive(this.fd, buffer);
    fds.push(...result.fds);
    return result.bytes;
  }

  send(buffer: Uint8Array, fds: readonly number[] = []): number {
    return sys.send(this.fd, buffer, fds);
  }

  watch(interest: WatchInterest, ready: (what: Readiness) => void): () => void {
    const mask = (interest.readable ? sys.Ready.READABLE : 0) | (interest.writable ? sys.Ready.WRITABLE : 0);
    const watch = sys.watch(this.fd, mask, (events) => {
      ready({
        readable: (events & sys.Ready.READABLE) !== 0,
        writable: (events & sys.Ready.WRITABLE) !== 0,
        hangup: (events & sys.Ready.HANGUP) !== 0,
      });
    });
    return () => watch.close();
  }

  closeFd(fd: number): void {
    sys.close(fd);
  }

  close(): void {
    if (this.#open) {
      this.#open = false;
      sys.close(this.fd);
    }
  }
}
