/**
 * What a queue or poll function finds around it, in whichever isolate it runs: arena, accessors, pools, rings, loaded queue modules and a
 * way to report. The main isolate makes one in Eal, every lcore makes one per run.
 */
import type { Arena } from '@pollwire/native';
import { arena, PollwireError } from '@pollwire/native';
import type { Logger } from './log.js';
import { Mbufs } from './mbuf.js';
import type { PoolView } from './mempool.js';
import { MempoolRef } from './mempool.js';
import type { QueueView } from './queue-ref.js';
import type { RingView } from './ring.js';
import { RingRef } from './ring.js';
import type { ScriptContext } from './script-queue.js';
import { ScriptModules } from './script-queue.js';
import { sentenceList } from './suggest.js';

export interface IsolateOptions {
  lcore: number;
  log: Logger;
  /** Present pools and rings; functions, because the main isolate's change. */
  pools: () => Iterable<PoolView>;
  rings: () => Iterable<RingView>;
  /** A queue module threw or returned nonsense; its queue is closed already. */
  scriptFailed: (view: QueueView, error: PollwireError) => void;
}

export class IsolateEnv {
  readonly lcore: number;
  readonly arena: Arena = arena();
  readonly mbufs = new Mbufs(this.arena);
  readonly scripts = new ScriptModules();
  readonly log: Logger;
  readonly scriptFailed: IsolateOptions['scriptFailed'];
  private readonly pools: () => Iterable<PoolView>;
  private readonly rings: () => Iterable<RingView>;

  constructor(options: IsolateOptions) {
    this.lcore = options.lcore;
    this.log = options.log;
    this.pools = options.pools;
    this.rings = options.rings;
    this.scriptFailed = options.scriptFailed;
  }

  /** Throws POOL_UNKNOWN naming the pools that exist. */
  pool(name: string): MempoolRef {
    return new MempoolRef(find('pool', name, this.pools()));
  }

  /** Throws RING_UNKNOWN naming the rings that exist. */
  ring(name: string): RingRef {
    return new RingRef(find('ring', name, this.rings()));
  }

  scriptContext(view: QueueView): ScriptContext {
    return {
      lcore: this.lcore,
      port: view.port,
      queue: view.id,
      direction: view.rx ? 'rx' : 'tx',
      pool: view.pool === undefined ? undefined : this.pool(view.pool),
      mbufs: this.mbufs,
      arena: this.arena,
      log: this.log,
      ring: (name) => this.ring(name),
    };
  }
}

function find<V extends { readonly name: string }>(what: 'pool' | 'ring', name: string, all: Iterable<V>): V {
  const list = [...all];
  const found = list.find((view) => view.name === name);
  if (found !== undefined) return found;
  const known = sentenceList(list.map((view) => view.name));
  throw new PollwireError(
    `${what.toUpperCase()}_UNKNOWN`,
    `There is no ${what} '${name}'; existing: ${known}.`,
  );
}
