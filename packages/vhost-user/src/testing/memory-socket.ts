/**
 * A connected pair of FdSockets in memory, with the kernel's rules for descriptors on a stream: they travel with the
 * first byte of their write, and a read stops behind the write that carried them. For tests; no addon is needed.
 * Descriptors are numbers of a {@link FdTable} that knows which are open, so that a leak is a failed expectation.
 */
import { PollwireError } from '@pollwire/native';
import type { FdSocket, Readiness, WatchInterest } from '../fd-socket.js';

/** Imaginary descriptors. Sending duplicates one, as SCM_RIGHTS does. */
export class FdTable {
  readonly #kinds = new Map<number, string>();
  #next = 100;

  /** Open a descriptor; `kind` is whatever a test wants to find again. */
  open(kind = 'file'): number {
    const fd = this.#next;
    this.#next += 1;
    this.#kinds.set(fd, kind);
    return fd;
  }

  /** A second descriptor for the same thing. */
  dup(fd: number): number {
    return this.open(this.kind(fd));
  }

  kind(fd: number): string {
    const kind = this.#kinds.get(fd);
    if (kind === undefined) {
      throw new Error(`descriptor ${fd} is not open`);
    }
    return kind;
  }

  /** Close one; closing what is not open is the error that the kernel calls EBADF. */
  close(fd: number): void {
    this.kind(fd);
    this.#kinds.delete(fd);
  }

  isOpen(fd: number): boolean {
    return this.#kinds.has(fd);
  }

  /** Descriptors that are open now. */
  get openCount(): number {
    return this.#kinds.size;
  }
}

interface Segment {
  bytes: Uint8Array;
  fds: number[];
}

export interface MemorySocketOptions {
  /** Bytes one direction holds before it is full. Default 64 KiB. */
  readonly capacity?: number;
  /** Descriptors that one read can take before the kernel would cut the control data. Default 253. */
  readonly maxFds?: number;
}

/** One end of the pair. */
export class MemorySocket implements FdSocket {
  readonly fd: number;
  readonly table: FdTable;
  /** Reads made so far: for tests that count system calls. */
  reads = 0;
  readonly #options: Required<MemorySocketOptions>;
  #peer: MemorySocket | undefined;
  #inbox: Segment[] = [];
  #open = true;
  #readShut = false;
  #endOfInput = false;
  #watches = new Set<{ interest: WatchInterest; ready: (what: Readiness) => void }>();
  #scheduled = false;

  constructor(table: FdTable, options: MemorySocketOptions = {}) {
    this.table = table;
    this.fd = table.open('socket');
    this.#options = { capacity: 64 * 1024, maxFds: 253, ...options };
  }

  /** Join two ends. */
  static join(a: MemorySocket, b: MemorySocket): void {
    a.#peer = b;
    b.#peer = a;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Bytes that wait to be read at this end. */
  get buffered(): number {
    return this.#inbox.reduce((sum, segment) => sum + segment.bytes.length, 0);
  }

  receive(buffer: Uint8Array, fds: number[]): number {
    this.#checkOpen();
    this.reads += 1;
    let count = 0;
    for (let first = this.#inbox[0]; first !== undefined && count < buffer.length; first = this.#inbox[0]) {
      const part = first.bytes.subarray(0, buffer.length - count);
      buffer.set(part, count);
      count += part.length;
      const carried = first.fds;
      first.fds = [];
      first.bytes = first.bytes.subarray(part.length);
      if (first.bytes.length === 0) {
        this.#inbox.shift();
      }
      if (carried.length > 0) {
        this.#accept(carried, fds);
        break;
      }
    }
    const peer = this.#peer;
    if (peer !== undefined) {
      peer.#schedule();
    }
    if (count > 0) {
      return count;
    }
    return this.#endOfInput ? 0 : -1;
  }

  send(buffer: Uint8Array, fds: readonly number[] = []): number {
    this.#checkOpen();
    const peer = this.#peer;
    if (peer === undefined || !peer.#open || peer.#readShut) {
      throw new PollwireError('PEER_CLOSED', 'the other end is closed');
    }
    const room = Math.min(buffer.length, peer.#options.capacity - peer.buffered);
    if (room <= 0) {
      return -1;
    }
    peer.#inbox.push({ bytes: buffer.slice(0, room), fds: fds.map((fd) => this.table.dup(fd)) });
    peer.#schedule();
    return room;
  }

  watch(interest: WatchInterest, ready: (what: Readiness) => void): () => void {
    this.#checkOpen();
    const entry = { interest, ready };
    this.#watches.add(entry);
    this.#schedule();
    return () => this.#watches.delete(entry);
  }

  closeFd(fd: number): void {
    this.table.close(fd);
  }

  /** No more bytes to the other end, which reads the end of the stream. */
  shutdownWrite(): void {
    const peer = this.#peer;
    if (peer !== undefined) {
      peer.#endOfInput = true;
      peer.#schedule();
    }
  }

  /** No more bytes from the other end, which gets an error when it writes. */
  shutdownRead(): void {
    this.#readShut = true;
  }

  close(): void {
    if (!this.#open) {
      return;
    }
    this.#open = false;
    this.#watches.clear();
    // The kernel closes descriptors in flight when the receiving socket goes.
    for (const segment of this.#inbox.splice(0)) {
      for (const fd of segment.fds) {
        this.table.close(fd);
      }
    }
    this.table.close(this.fd);
    this.shutdownWrite();
  }

  #accept(carried: readonly number[], fds: number[]): void {
    if (carried.length > this.#options.maxFds) {
      for (const fd of carried) {
        this.table.close(fd);
      }
      throw new PollwireError('BAD_FD_COUNT', 'control data was cut');
    }
    fds.push(...carried);
  }

  /** Level-triggered readiness, one callback for each watch and loop turn. */
  #schedule(): void {
    if (this.#scheduled || !this.#open || this.#watches.size === 0) {
      return;
    }
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#report();
    });
  }

  #report(): void {
    for (const entry of [...this.#watches]) {
      const { readable, writable, hangup } = this.#readiness(entry.interest);
      if (this.#watches.has(entry) && (readable || writable || hangup)) {
        entry.ready({ readable, writable, hangup });
        this.#schedule();
      }
    }
  }

  #readiness(interest: WatchInterest): Readiness {
    const peer = this.#peer;
    const hangup = peer === undefined || !peer.#open;
    const readable = interest.readable === true && (this.#inbox.length > 0 || this.#endOfInput);
    const room = peer !== undefined && peer.#options.capacity > peer.buffered;
    return { readable, writable: interest.writable === true && (room || hangup), hangup };
  }

  #checkOpen(): void {
    if (!this.#open) {
      throw new PollwireError('EBADF', 'the socket is closed');
    }
  }
}

/** A connected pair over one table of descriptors. */
export function memorySocketPair(
  options: MemorySocketOptions & { readonly table?: FdTable } = {},
): [MemorySocket, MemorySocket] {
  const table = options.table ?? new FdTable();
  const a = new MemorySocket(table, options);
  const b = new MemorySocket(table, options);
  MemorySocket.join(a, b);
  return [a, b];
}
