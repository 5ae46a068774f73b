/** The benchmark still runs: one cell of each placement, for a fraction of a second, without a word on how fast it was. */
import { selfLoop, twoCore } from '@pollwire/tools/bench/cells';
import { measure } from '@pollwire/tools/bench/rounds';
import { describe, expect, it } from 'vitest';
import { requirePeer } from '../harness/peers.js';

const missing = requirePeer('dpdk');
const timing = { warmUp: 0.2, counted: 0.4, cycles: 0.2 };

describe('one cell of the benchmark', () => {
  it.for(['pollwire', 'dpdk'] as const)('self-loop, %s', async (kind, context) => {
    if (kind === 'dpdk' && missing !== undefined) context.skip(missing);
    const { rate, cycles } = await measure(selfLoop('split', 'macswap'), kind, timing);
    expect(rate).toBeGreaterThan(0);
    expect(cycles).toBeGreaterThan(0);
  });

  it('two cores, our vhost beside DPDK', async (context) => {
    if (missing !== undefined) context.skip(missing);
    const cell = twoCore('vhost', 'packed', 'guest-to-host', 9000);
    const { rate, cycles } = await measure(cell, 'pollwire', { ...timing, counted: 1 });
    expect(rate).toBeGreaterThan(0);
    expect(cycles).toBeGreaterThan(0);
  });
});
