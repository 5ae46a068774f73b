/**
 * Poll function: testpmd's io forwarding on one port, with the time between two turns measured: the longest, and how many were above a
 * limit. Launched by port-program.ts.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { PollContext } from '@pollwire/ethdev/poll';
import { definePoll } from '@pollwire/ethdev/poll';
import { native } from '@pollwire/native';
import { repoRoot } from '../harness/paths.js';

// The forwarding loop is not part of what testpmd exports.
const load = (file: string) => import(pathToFileURL(join(repoRoot, 'packages/testpmd/dist', file)).href);
const { openForward } = (await load(
  'forward-lcore.js',
)) as typeof import('../../packages/testpmd/src/forward-lcore.js');
const { defaultNoisy, defaultTraffic } = (await load(
  'settings.js',
)) as typeof import('../../packages/testpmd/src/settings.js');

export interface GapOrder {
  port: number;
  pool: string;
  /** Gaps longer than this are counted, microseconds. */
  limitUs: number;
  /** Seconds that do not count at first: code is compiled then. */
  warmUp: number;
}

export interface GapResult {
  longestUs: number;
  above: number;
  turns: number;
  packets: number;
}

export default definePoll<GapOrder, GapResult>((ctx) => {
  const { port, pool, limitUs, warmUp } = ctx.data;
  const forward = openForward(
    withData(ctx, {
      engine: 'io' as const,
      settings: {
        burst: 32,
        retry: false,
        retryDelayUs: 1,
        retryCount: 0,
        recordBursts: false,
        pool,
        traffic: defaultTraffic(),
        noisy: defaultNoisy(),
        checksum: new Map(),
        tso: new Map(),
        txVlan: new Map(),
      },
      streams: [{ rxPort: port, rxQueue: 0, txPort: port, txQueue: 0, peer: '02:00:00:00:00:00' }],
      verbose: 0,
      flush: false,
      txFirst: 0,
    }),
  );
  const perUs = native.tscHz() / 1e6;
  const limit = limitUs * perUs;
  let last = 0;
  let from = 0;
  let longest = 0;
  let above = 0;
  let turns = 0;
  let packets = 0;
  return {
    poll() {
      const now = native.tsc();
      if (last === 0) from = now + warmUp * 1e6 * perUs;
      else if (now >= from) {
        const gap = now - last;
        if (gap > longest) longest = gap;
        if (gap > limit) above += 1;
        turns += 1;
      }
      last = now;
      const moved = forward.poll();
      packets += moved;
      return moved;
    },
    stop() {
      forward.stop?.();
      return { longestUs: longest / perUs, above, turns, packets };
    },
  };
});

/** The same context with other data. */
function withData<D>(ctx: PollContext, data: D): PollContext<D> {
  return {
    data,
    lcore: ctx.lcore,
    mbufs: ctx.mbufs,
    arena: ctx.arena,
    log: ctx.log,
    port: (id) => ctx.port(id),
    pool: (name) => ctx.pool(name),
    ring: (name) => ctx.ring(name),
    burst: (capacity) => ctx.burst(capacity),
    counters: (n) => ctx.counters(n),
  };
}
