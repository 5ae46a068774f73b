/**
 * Postcopy migration of a vhost device: the guest runs here before its memory has come, and pages that are missing are asked for through
 * a userfaultfd that the front-end serves. Used by VhostDevice, whose session calls in the order ADVISE, LISTEN, memory, ready, END.
 */
import { native } from '@pollwire/native';
import type { MemoryRegion, OutgoingFd, Refusal } from '@pollwire/vhost-user';
import { attempt } from './attempt.js';

export class Postcopy {
  readonly #device: number;
  /** Memory was answered with our addresses; faults are not served before the front-end confirms. */
  #waiting = false;

  constructor(device: number) {
    this.#device = device;
  }

  /** Rings must not start yet: what they touch would be there as zeros, and the page that comes later refused. */
  get waiting(): boolean {
    return this.#waiting;
  }

  advise(): OutgoingFd | Refusal {
    return attempt(() => ({ fd: native.vhostPostcopyAdvise(this.#device), close: true }));
  }

  listen(): Refusal | void {
    return attempt(() => {
      native.vhostPostcopyListen(this.#device);
      this.#waiting = true;
    });
  }

  address({ guestAddr, size }: MemoryRegion): bigint | Refusal {
    return attempt(() => {
      this.#waiting = true;
      return native.vhostPostcopyAddress(this.#device, guestAddr, size);
    });
  }

  ready(): Refusal | void {
    return attempt(() => {
      native.vhostPostcopyReady(this.#device);
      this.#waiting = false;
    });
  }

  /** Nobody waits for a page any more; what did not come is zeros. */
  end(): void {
    native.vhostPostcopyEnd(this.#device);
    this.#waiting = false;
  }
}
