/**
 * The poll function of forwarding lcores: holds this lcore's streams, each with its opened engine, and polls one after the other.
 * Launched by Forwarding in a Worker; openForward is also called directly by tests and benchmarks.
 */
import { writeSync } from 'node:fs';
import type { PollContext, PollFunction } from '@pollwire/ethdev/poll';
import { definePoll } from '@pollwire/ethdev/poll';
import { calibrateDelay } from './engines/delay.js';
import type { EngineContext, OpenEngine } from './engines/engine.js';
import { ENGINES } from './engines/index.js';
import { Stream } from './engines/stream.js';
import type { ForwardData, ForwardMessage } from './forward-data.js';
import { streamDoubles } from './forward-data.js';

export default definePoll<ForwardData, undefined, ForwardMessage>((ctx) => openForward(ctx));

/** Most bursts thrown away per stream when receive queues are flushed: a full ring of 32,768 packets. */
const FLUSH_BURSTS = 1024;

/** Opens streams and engines. `print` gets packet dumps; default: standard output, at once, from this thread. */
export function openForward(
  ctx: PollContext<ForwardData>,
  print: (text: string) => void = printDirectly,
): PollFunction<undefined, ForwardMessage> {
  const { data } = ctx;
  const engineCtx: EngineContext = {
    lcore: ctx.lcore,
    arena: ctx.arena,
    mbufs: ctx.mbufs,
    settings: data.settings,
    control: { verbose: data.verbose },
    burst: (capacity) => ctx.burst(capacity),
    pool: (name) => ctx.pool(name),
    macOf: (port) => ctx.port(port).mac,
    print,
  };
  if (data.settings.retry) calibrateDelay();
  const each = streamDoubles(data.settings.recordBursts);
  const counters = ctx.counters(each * data.streams.length);
  const streams = data.streams.map((stream, i) => {
    const rx = ctx.port(stream.rxPort).rxQueue(stream.rxQueue);
    const tx = ctx.port(stream.txPort).txQueue(stream.txQueue);
    return new Stream(stream, { rx, tx, counters: counters.subarray(i * each, (i + 1) * each) }, engineCtx);
  });
  // Before `start` returns: what arrives after that is forwarded.
  if (data.flush) for (const stream of streams) stream.flush(FLUSH_BURSTS);
  const open = (name: ForwardData['engine']): OpenEngine[] =>
    streams.map((stream) => ENGINES[name].open(stream, engineCtx));
  return new ForwardLoop(open(data.engine), data.txFirst > 0 ? open('txonly') : [], engineCtx.control, data);
}

/** Synchronous on purpose: the event loop of a forwarding lcore seldom turns, and lines must come in order. */
function printDirectly(text: string): void {
  try {
    writeSync(1, text);
  } catch {
    // Standard output is closed or full; the dump is lost, forwarding goes on.
  }
}

class ForwardLoop implements PollFunction<undefined, ForwardMessage> {
  private firstBursts: number;

  constructor(
    private readonly engines: readonly OpenEngine[],
    /** txonly on the same streams, for `start tx_first`. */
    private readonly first: readonly OpenEngine[],
    private readonly control: EngineContext['control'],
    data: ForwardData,
  ) {
    this.firstBursts = data.txFirst;
  }

  poll(): number {
    if (this.firstBursts > 0) return this.sendFirst();
    const { engines } = this;
    let work = 0;
    for (let i = 0; i < engines.length; i++) work += (engines[i] as OpenEngine).forward();
    return work;
  }

  message(message: ForwardMessage): void {
    this.control.verbose = message.verbose;
  }

  stop(): undefined {
    for (const engine of this.engines) engine.close?.();
    return undefined;
  }

  /** The turns before the engine runs, for `start tx_first`. */
  private sendFirst(): number {
    this.firstBursts--;
    return this.first.reduce((count, engine) => count + engine.forward(), 0);
  }
}
