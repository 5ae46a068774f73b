/**
 * The block of the arena through which the main isolate and one lcore talk without messages: a control word that the lcore reads every
 * turn, and counters that it writes every turn. Single writer each; made by Lcore, used by lcore-worker.ts.
 *
 *    0  i32 control: requests from the main isolate (CONTROL)        64  f64 turns · busyTurns · work · busyCycles · totalCycles · sleeps
 */
import type { Arena } from '@pollwire/native';
import { arena, native } from '@pollwire/native';

/** Bits of the control word. SYNC is cleared by the lcore between two turns: whoever set it knows that a turn has ended since. */
export const CONTROL = { STOP: 1, MAIL: 2, SYNC: 4 } as const;

const COUNTERS = 64;
const BYTES = 128;

/** What an lcore has done since its last launch. Cycles are 0 unless the launch asked for them. */
export interface LcoreStats {
  /** Calls of poll. */
  turns: number;
  /** Of those, that did something. */
  busyTurns: number;
  /** Sum of what poll returned. */
  work: number;
  /** TSC cycles of busy turns and of all turns. */
  busyCycles: number;
  totalCycles: number;
  /** Times it slept (idle strategies other than spin). */
  sleeps: number;
}

export class LcoreBlock {
  private readonly memory: Arena = arena();

  /** @param at byte offset */
  constructor(readonly at: number) {}

  static create(lcore: number): LcoreBlock {
    return new LcoreBlock(native.arenaAlloc(BYTES, 64, `lcore ${lcore}`));
  }

  control(): number {
    return this.memory.load(this.at);
  }

  request(bits: number): void {
    this.memory.or(this.at, bits);
  }

  acknowledge(bits: number): void {
    this.memory.clear(this.at, bits);
  }

  /** All zero, before a launch. */
  reset(): void {
    this.memory.store(this.at, 0);
    this.memory.bytes(this.at + COUNTERS, BYTES - COUNTERS).fill(0);
  }

  /** Counts one turn. */
  turn(work: number): void {
    const { memory, at } = this;
    memory.writeF64(at + COUNTERS, memory.readF64(at + COUNTERS) + 1);
    if (work === 0) return;
    memory.writeF64(at + COUNTERS + 8, memory.readF64(at + COUNTERS + 8) + 1);
    memory.writeF64(at + COUNTERS + 16, memory.readF64(at + COUNTERS + 16) + work);
  }

  /** Adds the cycles of one turn. */
  cycles(spent: number, busy: boolean): void {
    const { memory, at } = this;
    memory.writeF64(at + COUNTERS + 32, memory.readF64(at + COUNTERS + 32) + spent);
    if (busy) memory.writeF64(at + COUNTERS + 24, memory.readF64(at + COUNTERS + 24) + spent);
  }

  sleep(): void {
    this.memory.writeF64(this.at + COUNTERS + 40, this.memory.readF64(this.at + COUNTERS + 40) + 1);
  }

  stats(): LcoreStats {
    const read = (index: number) => this.memory.readF64(this.at + COUNTERS + index * 8);
    return {
      turns: read(0),
      busyTurns: read(1),
      work: read(2),
      busyCycles: read(3),
      totalCycles: read(4),
      sleeps: read(5),
    };
  }

  free(): void {
    native.arenaFree(this.at);
  }
}
