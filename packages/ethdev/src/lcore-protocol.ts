/** Messages between Lcore (main isolate) and lcore-worker.ts. Everything here survives structured clone. */
import type { IdleMode } from './idle.js';
import type { LogLevel } from './log.js';
import type { PoolView } from './mempool.js';
import type { PortView } from './port-ref.js';
import type { QueueView } from './queue-ref.js';
import type { RingView } from './ring.js';

/** Given to the Worker when it is made. */
export interface WorkerInit {
  readonly lcore: number;
  /** -1: not pinned. */
  readonly cpu: number;
  /** Thread name, at most 15 characters. */
  readonly name: string;
  /** Byte offset of the LcoreBlock. */
  readonly block: number;
}

/** What exists when a run starts, or when a message is posted to it. */
export interface World {
  readonly ports: readonly PortView[];
  readonly pools: readonly PoolView[];
  readonly rings: readonly RingView[];
}

export interface LaunchMessage {
  readonly type: 'launch';
  readonly run: number;
  /** URL of the poll function's module. */
  readonly module: string;
  readonly data: unknown;
  readonly idle: IdleMode;
  readonly cycles: boolean;
  readonly world: World;
}

/** A run.post(). */
export interface MailMessage {
  readonly type: 'mail';
  readonly message: unknown;
  readonly world: World;
}

export type ToWorker = LaunchMessage | MailMessage;

/** An error as data. */
export interface ErrorData {
  readonly code: string;
  readonly message: string;
  readonly stack: string;
}

export type FromWorker =
  | {
      readonly type: 'started';
      readonly run: number;
      readonly counters: { at: number; count: number } | undefined;
    }
  | { readonly type: 'done'; readonly run: number; readonly result: unknown }
  | { readonly type: 'failed'; readonly run: number; readonly error: ErrorData }
  | { readonly type: 'script-failed'; readonly view: QueueView; readonly error: ErrorData }
  | { readonly type: 'log'; readonly logger: string; readonly level: LogLevel; readonly text: string };
