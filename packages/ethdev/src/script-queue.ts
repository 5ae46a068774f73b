/**
 * The script data path: one direction of a queue written in TypeScript. Its module is opened once in every isolate that polls the queue
 * and then called with bursts, as a native queue is. Called by queue-ref.ts; written by driver authors.
 */
import type { Arena } from '@pollwire/native';
import { PollwireError } from '@pollwire/native';
import type { Burst } from './burst.js';
import type { Logger } from './log.js';
import type { Mbufs } from './mbuf.js';
import type { MempoolRef } from './mempool.js';
import type { RingRef } from './ring.js';

/** Receiving end. */
export interface ScriptRx {
  /** Puts up to `n` mbufs at handles[0..) and returns how many; the caller owns them then. Must not block or allocate. */
  rxBurst(burst: Burst, n: number): number;
  close?(): void;
}

/** Sending end. */
export interface ScriptTx {
  /** Takes handles[from..from + k) and returns k ≤ n; the rest stays with the caller. Must not block or allocate. */
  txBurst(burst: Burst, n: number, from: number): number;
  close?(): void;
}

/** What a queue module finds in the isolate it is opened in. */
export interface ScriptContext {
  /** Lcore that polls it; the main lcore's id in the main isolate. */
  readonly lcore: number;
  readonly port: number;
  readonly queue: number;
  readonly direction: 'rx' | 'tx';
  /** Pool of the rx queue; undefined for tx. */
  readonly pool: MempoolRef | undefined;
  readonly mbufs: Mbufs;
  readonly arena: Arena;
  readonly log: Logger;
  /** A ring made with Eal.createRing before the queue was opened. Throws RING_UNKNOWN. */
  ring(name: string): RingRef;
}

/** Default export of a queue module: called once per queue, direction and isolate with the `data` of its QueueEnd. */
export type OpenQueue<D = unknown> = (data: D, ctx: ScriptContext) => ScriptRx | ScriptTx;

/** Types a queue module's default export. */
export function defineQueue<D>(open: OpenQueue<D>): OpenQueue<D> {
  return open;
}

/** The queue modules of this isolate, by specifier. Importing is asynchronous, opening is not. */
export class ScriptModules {
  private readonly loaded = new Map<string, OpenQueue>();

  has(module: string): boolean {
    return this.loaded.has(module);
  }

  /** Imports what is not yet here. Throws SCRIPT_MODULE naming the module. */
  async load(modules: Iterable<string>): Promise<void> {
    for (const module of new Set(modules)) {
      if (!this.loaded.has(module)) this.loaded.set(module, await importQueue(module));
    }
  }

  get(module: string): OpenQueue {
    const open = this.loaded.get(module);
    if (open === undefined)
      throw new PollwireError('SCRIPT_MODULE', `Queue module ${module} is not loaded; start its port first.`);
    return open;
  }
}

async function importQueue(module: string): Promise<OpenQueue> {
  let exported: { default?: unknown };
  try {
    exported = (await import(module)) as { default?: unknown };
  } catch (error) {
    throw new PollwireError(
      'SCRIPT_MODULE',
      `Queue module ${module} cannot be imported: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
  if (typeof exported.default === 'function') return exported.default as OpenQueue;
  throw new PollwireError(
    'SCRIPT_MODULE',
    `Queue module ${module} has no default export that is a function (data, ctx) => end.`,
  );
}
