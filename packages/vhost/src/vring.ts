/**
 * One vring as the control plane knows it: what the front-end has said of it so far, and whether that is enough to run.
 * Used by VhostDevice only; the native side sees a ring once it is complete.
 */
import type { VringAddr } from '@pollwire/vhost-user';

export class Vring {
  /** Entries; 0 until SET_VRING_NUM. */
  size = 0;
  addr: VringAddr | undefined;
  base = 0;
  /** SET_VRING_KICK arrived, with a descriptor or with "none": the front-end wants the ring to run. */
  kicked = false;
  /** SET_VRING_CALL arrived. */
  callSet = false;
  enabled = false;
  /** The native ring runs: its addresses translate. */
  started = false;
  /** What was last reported to listeners. */
  ready = false;
  /** Slot of the bursts that use it, -1: none, and their direction. */
  slot = -1;
  direction: 'rx' | 'tx' = 'rx';
  /** Requests of the ring are answered. */
  serves = false;
  /** Why it cannot start or had to stop, in words. */
  problem: string | undefined;

  constructor(readonly index: number) {}

  /** Everything that the front-end has to say was said. */
  get complete(): boolean {
    return this.kicked && this.size > 0 && this.addr !== undefined;
  }

  /** The first condition that keeps the ring from being ready; undefined when it is. */
  get missing(): string | undefined {
    if (this.size === 0) return 'no size (SET_VRING_NUM)';
    if (this.addr === undefined) return 'no addresses (SET_VRING_ADDR)';
    if (!this.kicked) return 'no kick (SET_VRING_KICK)';
    if (this.problem !== undefined) return this.problem;
    if (!this.started) return 'no guest memory (SET_MEM_TABLE)';
    if (!this.callSet) return 'no call (SET_VRING_CALL)';
    if (!this.enabled) return 'disabled (SET_VRING_ENABLE)';
    return undefined;
  }

  /** Back to how it was before the first message; the base survives, the front-end may ask for it. */
  forget(): void {
    this.size = 0;
    this.addr = undefined;
    this.kicked = false;
    this.problem = undefined;
  }
}
