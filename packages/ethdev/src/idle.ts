/**
 * What an lcore does when a turn found nothing. Called by lcore-worker.ts after every turn.
 *
 * spin       nothing: lowest latency, 100 % of the CPU. The default.
 * adaptive   spins through short pauses, then sleeps until a queue is kicked or a growing deadline passes.
 * interrupt  sleeps after two empty turns.
 *
 * A queue whose driver cannot wake a sleeper (capability rxInterrupt) limits every sleep to a millisecond.
 */
import { native } from '@pollwire/native';

export type IdleMode = 'spin' | 'adaptive' | 'interrupt';
export const IDLE_MODES: readonly IdleMode[] = ['spin', 'adaptive', 'interrupt'];

/** Sleeps: (slots, microseconds) → whether a kick ended it. Replaceable for tests. */
export type Sleep = (slots: readonly number[], microseconds: number) => number;

export interface IdleOptions {
  /** Slots whose kick ends a sleep. */
  slots: readonly number[];
  /** True when every polled queue can be kicked. */
  kickable: boolean;
  sleep?: Sleep;
  /** Called before each sleep. */
  onSleep?: () => void;
}

/** Empty turns before the first sleep. A turn without packets takes about 0.1 µs per queue. */
const PATIENCE = { adaptive: 10_000, interrupt: 2 } as const;
const FIRST_SLEEP_US = 50;
const MAX_SLEEP_US = { kickable: 100_000, blind: 1000 } as const;

export class IdleStrategy {
  private empty = 0;
  private duration = FIRST_SLEEP_US;
  private readonly patience: number;
  private readonly longest: number;
  private readonly sleep: Sleep;

  constructor(
    mode: IdleMode,
    private readonly options: IdleOptions,
  ) {
    this.patience = mode === 'spin' ? Number.POSITIVE_INFINITY : PATIENCE[mode];
    this.longest = options.kickable ? MAX_SLEEP_US.kickable : MAX_SLEEP_US.blind;
    this.sleep = options.sleep ?? ((slots, microseconds) => native.lcoreWait(slots, microseconds));
  }

  /** After a turn that did `work`. */
  after(work: number): void {
    if (work > 0) {
      this.empty = 0;
      this.duration = FIRST_SLEEP_US;
      return;
    }
    if (++this.empty > this.patience) this.rest();
  }

  private rest(): void {
    this.options.onSleep?.();
    const kicked = this.sleep(this.options.slots, this.duration);
    // One empty turn after a sleep is enough to sleep again, longer than before, unless somebody kicked.
    this.empty = kicked === 1 ? 0 : this.patience;
    this.duration = kicked === 1 ? FIRST_SLEEP_US : Math.min(this.longest, this.duration * 2);
  }
}
