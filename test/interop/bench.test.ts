/** The benchmark still runs: each kind of measurement for a fraction of a second, without a word on how fast it was. */
import { selfLoop, twoCore } from '@pollwire/tools/bench/cells';
import { generatorOn } from '@pollwire/tools/bench/latency';
import { PortProgram } from '@pollwire/tools/bench/port-program';
import { socketDir } from '@pollwire/tools/bench/program';
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

describe('round trips through a port of ours', () => {
  it('are counted, timed and lost by nobody who is quiet', async () => {
    const sockets = socketDir();
    const programs: PortProgram[] = [];
    try {
      const socket = sockets.path('s0');
      const forwarder = await PortProgram.start({ vdev: `net_vhost0,iface=${socket}`, mainLcore: 0 });
      programs.push(forwarder);
      const generator = await PortProgram.start(generatorOn(socket, 'split'));
      programs.push(generator);
      await generator.ask('link');
      await forwarder.ask('forward', { limitUs: 200, warmUp: 0 });
      const load = await generator.ask('load', { size: 64, rate: 20_000, warmUp: 0.1, seconds: 0.3 });
      expect(load.received).toBeGreaterThan(0);
      expect(load.received).toBeLessThanOrEqual(load.sent);
      expect(load.sent).toBeLessThanOrEqual(6001);
      expect(load.foreign).toBe(0);
      expect(load.p50).toBeGreaterThan(0);
      expect([load.p50, load.p99, load.p999, load.max]).toEqual(
        [load.p50, load.p99, load.p999, load.max].sort((a, b) => a - b),
      );
      const probe = await generator.ask('probe', { count: 2, pause: 0.05, patience: 5 });
      expect([probe.sent, probe.lost]).toEqual([2, 0]);
      expect(probe.max).toBeGreaterThan(0);
      const turns = await forwarder.ask('stop');
      expect(turns.turns).toBeGreaterThan(0);
      expect(turns.longestUs).toBeGreaterThan(0);
      expect(turns.packets).toBeGreaterThanOrEqual(load.received + 2);
    } finally {
      for (const program of programs.reverse()) await program.end();
      sockets.remove();
    }
  });
});
