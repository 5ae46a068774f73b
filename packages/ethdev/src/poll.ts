/**
 * What a poll function's module imports: `import { definePoll } from '@pollwire/ethdev/poll'`. Its default export is opened inside an lcore
 * (a Worker), then `poll` is called in a loop until the lcore is told to stop.
 */
import type { Arena } from '@pollwire/native';
import type { Burst } from './burst.js';
import type { Logger } from './log.js';
import type { Mbufs } from './mbuf.js';
import type { MempoolRef } from './mempool.js';
import type { PortRef } from './port-ref.js';
import type { RingRef } from './ring.js';

export { HeaderEdit } from './header-edit.js';

/** What a poll function finds in its lcore. Make everything here, once; allocate nothing in `poll`. */
export interface PollContext<D = unknown> {
  readonly lcore: number;
  /** What was given to launch (structured clone). */
  readonly data: D;
  readonly mbufs: Mbufs;
  readonly arena: Arena;
  /** Lines go to the main isolate. Not for every packet. */
  readonly log: Logger;
  /** A port by id or name, as it was at launch (or at the last message). Throws PORT_UNKNOWN. */
  port(idOrName: number | string): PortRef;
  /** Throws POOL_UNKNOWN. */
  pool(name: string): MempoolRef;
  /** Throws RING_UNKNOWN. */
  ring(name: string): RingRef;
  /** A burst that is released with the run; if poll throws, what it holds is freed. Default capacity 32. */
  burst(capacity?: number): Burst;
  /** `n` doubles in the arena, 0 at first, that `run.counters()` reads from outside at any time. Once per run. */
  counters(n: number): Float64Array;
}

/** A poll function between its launch and its stop. */
export interface PollFunction<R = unknown, M = unknown> {
  /** One turn: move at most a few bursts, return how much was done (0 = idle). Must not block. */
  poll(): number;
  /** Called once after the last turn; its value is what run.stop() resolves to (structured clone). */
  stop?(): R;
  /** Called between turns for each run.post(message). */
  message?(message: M): void;
}

/** Default export of a poll function's module. */
export interface PollDefinition<D = unknown, R = unknown, M = unknown> {
  open(ctx: PollContext<D>): PollFunction<R, M> | Promise<PollFunction<R, M>>;
}

/** Types a poll function. `open` may be asynchronous; `poll` may not. */
export function definePoll<D = undefined, R = undefined, M = never>(
  open: (ctx: PollContext<D>) => PollFunction<R, M> | Promise<PollFunction<R, M>>,
): PollDefinition<D, R, M> {
  return { open };
}
