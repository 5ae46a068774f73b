/**
 * One request of a driver: a descriptor chain with a part to read and room to fill. Made by RequestQueue; copies only, so that nothing
 * of it changes after it was looked at. virtio 1.2 §2.6.4.
 */
import { native, PollwireError } from '@pollwire/native';

/** Where a request belongs. */
export interface RequestOrigin {
  /** Native device id. */
  readonly device: number;
  readonly ring: number;
  /** The request was handed back. */
  completed(request: VringRequest): void;
}

/** Most that {@link VringRequest.bytes} copies unless told otherwise: 1 MiB. */
export const DEFAULT_COPY_LIMIT = 1 << 20;

export class VringRequest {
  /** Vring that it came on. */
  readonly ring: number;
  /** Bytes that the driver put there for the device. */
  readonly readable: number;
  /** Bytes of room that the device may fill. */
  readonly writable: number;
  readonly #origin: RequestOrigin;
  readonly #token: number;
  #open = true;

  constructor(origin: RequestOrigin, chain: { token: number; readable: number; writable: number }) {
    this.#origin = origin;
    this.ring = origin.ring;
    this.#token = chain.token;
    this.readable = chain.readable;
    this.writable = chain.writable;
  }

  /** Not handed back yet, and the ring still has it. */
  get open(): boolean {
    return this.#open;
  }

  /**
   * Copies what the driver sent, from byte `offset` of the readable part on, until `target` is full or the part ends.
   * @returns bytes copied; 0 when the ring was stopped or the memory behind the request is gone
   */
  read(offset: number, target: Uint8Array): number {
    if (!this.#open || target.length === 0) return 0;
    return native.vhostChainRead(this.#origin.device, this.ring, this.#token, offset, target);
  }

  /**
   * A copy of bytes that the driver sent.
   * @throws PollwireError `VHOST_REQUEST_TOO_LARGE` for more than `limit` bytes
   */
  bytes(offset = 0, length = Math.max(0, this.readable - offset), limit = DEFAULT_COPY_LIMIT): Uint8Array {
    if (length > limit) {
      const text = `a request on ring ${this.ring}: a copy of ${length} bytes; at most ${limit} are copied at once`;
      throw new PollwireError('VHOST_REQUEST_TOO_LARGE', text);
    }
    const copy = new Uint8Array(length);
    return copy.subarray(0, this.read(offset, copy));
  }

  /** Copies into the room of the request, from its byte `offset` on. Returns bytes copied, as {@link read} does. */
  write(offset: number, source: Uint8Array): number {
    if (!this.#open || source.length === 0) return 0;
    return native.vhostChainWrite(this.#origin.device, this.ring, this.#token, offset, source);
  }

  /**
   * Hands the request back: the first `written` bytes of its room were filled. The driver is called if it wants to be. May come at any
   * time and in any order; the second time, and after the ring was stopped, it does nothing.
   */
  complete(written: number): void {
    if (!this.#open) return;
    this.#open = false;
    native.vhostChainComplete(this.#origin.device, this.ring, this.#token, written);
    this.#origin.completed(this);
  }

  /** The ring is the driver's again: nothing of the request is touched any more. */
  abandon(): void {
    this.#open = false;
  }
}
