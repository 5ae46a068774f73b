/**
 * Bursts on the rings of a device, for programs that use the library without a port: what a guest sends (dequeue) and what it gets
 * (enqueue). Made by VhostDevice.receiver and transmitter; one user at a time.
 */
import type { Burst, MempoolRef } from '@pollwire/ethdev';
import type { VhostBindOptions } from '@pollwire/native';
import { native, SlotClosed } from '@pollwire/native';
import type { VhostDevice } from './device.js';
import type { ReceiveOptions } from './device-kind.js';

const NO_PORT = 0xffff;

/** One ring connected with a slot of its own. */
class VringEnd {
  protected readonly slot = native.slotAlloc();
  #open = true;

  constructor(
    readonly device: VhostDevice,
    readonly ring: number,
    direction: 'rx' | 'tx',
    options: Omit<VhostBindOptions, 'port'>,
  ) {
    try {
      device.bind(ring, this.slot, direction, { ...options, port: NO_PORT });
    } catch (error) {
      native.slotFree(this.slot);
      throw error;
    }
    native.slotOpen(this.slot, SlotClosed.PORT_STOPPED);
  }

  /** Lets go of the ring; bursts return 0 afterwards. The device does it by itself when its connection ends. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.device.unbind(this.ring);
    native.slotFree(this.slot);
  }

  protected get isOpen(): boolean {
    return this.#open;
  }
}

/** Takes what the guest sent on one queue pair. */
export class VringReceiver extends VringEnd {
  constructor(device: VhostDevice, pair: number, pool: MempoolRef, options: ReceiveOptions = {}) {
    super(device, pair * 2 + 1, 'rx', { ...options, pool: pool.index });
  }

  /** Fills the empty burst with up to `n` packets, which the caller owns; 0 when there are none or the ring does not run. */
  burst(burst: Burst, n = burst.capacity): number {
    const got = this.isOpen ? native.rxBurst(this.slot, burst.word, Math.min(n, burst.capacity)) : 0;
    burst.first = 0;
    burst.length = got;
    return got;
  }
}

/** Hands packets to the guest on one queue pair. */
export class VringTransmitter extends VringEnd {
  constructor(device: VhostDevice, pair: number) {
    super(device, pair * 2, 'tx', { pool: 0 });
  }

  /** Sends handles[from..n); returns how many were taken and freed. The caller keeps the rest: `burst.free(from + sent)`. */
  burst(burst: Burst, n = burst.length, from = 0): number {
    const sent = this.isOpen && n > from ? native.txBurst(this.slot, burst.word + from, n - from) : 0;
    burst.first = from + sent;
    return sent;
  }
}
