/**
 * Slots and arena blocks whose port is gone while lcores still run that may name them. They stay closed and unused until every run that was
 * active at that time has ended; only then can they be given to somebody else. Called by Eal.
 */
import { native } from '@pollwire/native';

interface Waiting {
  readonly runs: Set<unknown>;
  free(): void;
}

export class RetirementHome {
  private waiting: Waiting[] = [];

  /** @param active what currently polls: one object per run */
  constructor(private readonly active: () => Iterable<unknown>) {}

  /** Frees the slot when possible, then calls `freed`. */
  slot(slot: number, freed: () => void): void {
    this.retire(() => {
      native.slotFree(slot);
      freed();
    });
  }

  block(offset: number): void {
    this.retire(() => native.arenaFree(offset));
  }

  /** A run is over. */
  ended(run: unknown): void {
    this.waiting = this.waiting.filter((item) => {
      item.runs.delete(run);
      if (item.runs.size > 0) return true;
      item.free();
      return false;
    });
  }

  /** Number of items kept, for tests and reports. */
  get size(): number {
    return this.waiting.length;
  }

  private retire(free: () => void): void {
    const runs = new Set(this.active());
    if (runs.size === 0) free();
    else this.waiting.push({ runs, free });
  }
}
