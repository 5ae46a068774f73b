/**
 * The PollContext behind a poll function, the same in an lcore and when stepped in the main isolate: resolves ports, pools and rings from
 * the world it was given, and remembers bursts and counters so that they can be cleaned up.
 */
import type { Arena } from '@pollwire/native';
import { native, PollwireError } from '@pollwire/native';
import { Burst } from './burst.js';
import type { IsolateEnv } from './isolate.js';
import type { World } from './lcore-protocol.js';
import type { Logger } from './log.js';
import type { Mbufs } from './mbuf.js';
import type { MempoolRef } from './mempool.js';
import type { PollContext, PollDefinition } from './poll.js';
import { PortRef } from './port-ref.js';
import type { RingRef } from './ring.js';
import { sentenceList } from './suggest.js';

export class PollScope<D> implements PollContext<D> {
  readonly lcore: number;
  readonly mbufs: Mbufs;
  readonly arena: Arena;
  readonly log: Logger;
  /** Where the counters are, once asked for. */
  counterBlock: { at: number; count: number } | undefined;
  private readonly bursts: Burst[] = [];
  private readonly ports = new Map<number, PortRef>();

  constructor(
    private readonly env: IsolateEnv,
    private world: World,
    readonly data: D,
  ) {
    this.lcore = env.lcore;
    this.mbufs = env.mbufs;
    this.arena = env.arena;
    this.log = env.log;
  }

  port(idOrName: number | string): PortRef {
    const view = this.world.ports.find((port) => port.id === idOrName || port.name === idOrName);
    if (view === undefined) {
      const ids = sentenceList(this.world.ports.map((port) => port.id));
      throw new PollwireError('PORT_UNKNOWN', `There is no port '${idOrName}'; existing: ${ids}.`);
    }
    let ref = this.ports.get(view.id);
    if (ref === undefined) {
      ref = new PortRef(view, this.env);
      this.ports.set(view.id, ref);
    }
    return ref;
  }

  pool(name: string): MempoolRef {
    return this.env.pool(name);
  }

  ring(name: string): RingRef {
    return this.env.ring(name);
  }

  burst(capacity = 32): Burst {
    const burst = new Burst(capacity);
    this.bursts.push(burst);
    return burst;
  }

  counters(n: number): Float64Array {
    if (this.counterBlock !== undefined) {
      throw new PollwireError(
        'COUNTERS_TWICE',
        'ctx.counters() can be called once per run; ask for all of them together.',
      );
    }
    this.counterBlock = { at: native.arenaAlloc(n * 8, 64, `counters of lcore ${this.lcore}`), count: n };
    return this.arena.doubles(this.counterBlock.at, n);
  }

  /** New world after a message. Ports that were set up anew get fresh references; others keep theirs. */
  update(world: World): void {
    for (const [id, ref] of this.ports) {
      const view = world.ports.find((port) => port.id === id);
      if (
        view === undefined ||
        view.block !== ref.view.block ||
        changed(view.rx, ref.view.rx) ||
        changed(view.tx, ref.view.tx)
      ) {
        this.ports.delete(id);
      }
    }
    this.world = world;
  }

  /** Queues whose kick should end a sleep, and whether that covers all that are polled. */
  interruptSources(): { slots: number[]; kickable: boolean } {
    const views = [...this.ports.values()].flatMap((port) => port.polled.map((queue) => queue.view));
    const kickable = views.filter((view) => view.interrupt);
    return {
      slots: kickable.map((view) => view.slot),
      kickable: views.length > 0 && kickable.length === views.length,
    };
  }

  /** After a throw: frees what the bursts still own. */
  reclaim(): void {
    for (const burst of this.bursts) burst.reclaim();
  }

  /** Ends script queues and gives the bursts back. Counters are freed by whoever reads them last. */
  release(): void {
    for (const port of this.ports.values()) port.close();
    for (const burst of this.bursts) burst.release();
    this.bursts.length = 0;
  }
}

function changed(now: PortRef['view']['rx'], before: PortRef['view']['rx']): boolean {
  return now.length !== before.length || now.some((view, i) => view.counters !== before[i]?.counters);
}

/** A module's default export as a poll function; throws POLL_MODULE naming what is wrong. */
export function checkPollDefinition(module: string, value: unknown): PollDefinition {
  if (typeof (value as PollDefinition | undefined)?.open === 'function') return value as PollDefinition;
  throw new PollwireError('POLL_MODULE', `${module} has no default export made by definePoll(…).`);
}
