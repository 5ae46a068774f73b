/** A poll function opened in the main isolate and polled by hand. For tests (a test never sleeps to wait for an lcore) and small programs. */
import { native } from '@pollwire/native';
import type { IsolateEnv } from './isolate.js';
import type { World } from './lcore-protocol.js';
import type { PollDefinition, PollFunction } from './poll.js';
import { PollScope } from './poll-context.js';

export class Stepper<R = unknown, M = unknown> {
  static async open<D, R, M>(
    definition: PollDefinition<D, R, M>,
    data: D,
    env: IsolateEnv,
    world: () => World,
  ): Promise<Stepper<R, M>> {
    const scope = new PollScope<D>(env, world(), data);
    const fn = await definition.open(scope);
    return new Stepper(fn, scope as PollScope<unknown>, world);
  }

  private constructor(
    private readonly fn: PollFunction<R, M>,
    private readonly scope: PollScope<unknown>,
    private readonly world: () => World,
  ) {}

  /** One turn. A throw frees what the bursts hold and passes on. */
  poll(): number {
    try {
      return this.fn.poll();
    } catch (thrown) {
      this.scope.reclaim();
      throw thrown;
    }
  }

  message(message: M): void {
    this.scope.update(this.world());
    this.fn.message?.(message);
  }

  counters(): number[] {
    const block = this.scope.counterBlock;
    return block === undefined ? [] : Array.from(this.scope.arena.doubles(block.at, block.count));
  }

  /** Ends it and returns the poll function's result. */
  stop(): R | undefined {
    const result = this.fn.stop?.();
    this.scope.release();
    if (this.scope.counterBlock !== undefined) native.arenaFree(this.scope.counterBlock.at);
    return result;
  }
}
