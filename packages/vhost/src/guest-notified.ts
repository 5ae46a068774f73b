/**
 * guest_notified: tells that drivers had to be signalled, off the data path: counters are looked at now and then while somebody listens.
 * Made by VhostSocket.
 */
import type { VhostDevice } from './device.js';

/** Milliseconds between looks. */
const INTERVAL = 100;

export class GuestNotified {
  readonly #report: (device: VhostDevice, ring: number, count: number) => void;
  readonly #wanted: () => boolean;
  #timer: NodeJS.Timeout | undefined;
  #seen: bigint[] = [];

  /**
   * @param wanted whether somebody listens
   * @param report a ring's driver was signalled `count` times since the last report
   */
  constructor(wanted: () => boolean, report: (device: VhostDevice, ring: number, count: number) => void) {
    this.#wanted = wanted;
    this.#report = report;
  }

  start(device: VhostDevice): void {
    this.stop();
    this.#seen = device.rings.map(({ index }) => device.vring(index).notifications);
    this.#timer = setInterval(() => this.look(device), INTERVAL).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Reports what is new; also called once more before the device goes. */
  look(device: VhostDevice): void {
    if (this.#timer === undefined || !this.#wanted()) return;
    for (const { index } of device.rings) {
      const now = device.vring(index).notifications;
      const before = this.#seen[index] ?? 0n;
      this.#seen[index] = now;
      // Less than before: the counters were reset, or another queue serves the ring.
      const count = now >= before ? now - before : now;
      if (count > 0n) this.#report(device, index, Number(count));
    }
  }
}
