/** Rings that several net_ring ports share by name: made by the first user, destroyed with what is inside by the last. One set per port. */
import type { Eal, Ring } from '@pollwire/ethdev';
import { PollwireError } from '@pollwire/native';

/** Users of each ring; rings belong to an Eal, so the count does too. */
const users = new WeakMap<Ring, number>();

export class RingSet {
  private claimed: string | undefined;

  constructor(
    private readonly eal: Eal,
    private readonly size: number,
  ) {}

  /** Keeps the ring `name` for the life of the port. `action` is R:node:CREATE (R must be new) or R:node:ATTACH (R must exist). */
  claim(name: string, action: string): void {
    const exists = this.eal.rings.has(name);
    const set = action.slice(0, action.indexOf(':'));
    if (action.endsWith(':CREATE') && exists) {
      throw new PollwireError('RING_EXISTS', `The rings '${set}' exist already; use ATTACH.`);
    }
    if (action.endsWith(':ATTACH') && !exists) {
      throw new PollwireError('RING_UNKNOWN', `There are no rings '${set}' yet; use CREATE first.`);
    }
    this.acquire(name);
    this.claimed = name;
  }

  /** Ends claim(). */
  disclaim(): void {
    if (this.claimed !== undefined) this.release(this.claimed);
    this.claimed = undefined;
  }

  acquire(name: string): Ring {
    const ring = this.eal.rings.get(name) ?? this.eal.createRing({ name, size: this.size });
    users.set(ring, (users.get(ring) ?? 0) + 1);
    return ring;
  }

  /** One release per acquire. */
  release(name: string): void {
    const ring = this.eal.ring(name);
    const left = (users.get(ring) ?? 1) - 1;
    users.set(ring, left);
    if (left === 0) this.eal.destroyRing(name);
  }
}
