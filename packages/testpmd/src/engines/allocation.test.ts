import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RunOptions } from '../fixtures/engine-rig.js';
import { EngineRig } from '../fixtures/engine-rig.js';
import { pattern, tcp4, udp4 } from '../fixtures/packets.js';
import type { EngineName } from '../settings.js';
import { defaultNoisy, defaultTraffic, ENGINE_NAMES } from '../settings.js';

let rig: EngineRig;
beforeAll(async () => {
  rig = await EngineRig.open();
});
afterAll(() => rig.close());

const WARM_UP = 20_000;
const TURNS = 100_000;
/** One boxed number per turn would be 16 bytes × TURNS = 1.6 MB; feedback and code that arrive late are a few KB. */
const LIMIT = 300_000;

const OPTIONS: Partial<Record<EngineName, RunOptions>> = {
  noisy: {
    settings: {
      noisy: { ...defaultNoisy(), bufferSize: 8, memoryMiB: 1, reads: 1, writes: 1, mode: 'macswap' },
    },
  },
  txonly: { settings: { traffic: { ...defaultTraffic(), multiFlow: true } } },
  flowgen: { settings: { traffic: { ...defaultTraffic(), flowgenClones: 1 } } },
};

// Both ports forward to each other over their looped rings, so that the packets go round for ever; engines that drop run idle, those that
// make packets run against full rings and free what is refused.
it.each(ENGINE_NAMES)('%s allocates nothing in forward()', async (name) => {
  const back = { rxPort: 1, rxQueue: 0, txPort: 0, txQueue: 0, peer: '02:00:00:00:00:00' };
  const there = { rxPort: 0, rxQueue: 0, txPort: 1, txQueue: 0, peer: '02:00:00:00:00:01' };
  const run = await rig.run(name, { ...OPTIONS[name], data: { streams: [there, back] } });
  for (let i = 0; i < 32; i++) rig.inject([rig.packet(i % 2 === 0 ? udp4(pattern(22)) : tcp4(pattern(6)))]);
  for (let i = 0; i < WARM_UP; i++) run.poll();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < TURNS; i++) run.poll();
  const grown = process.memoryUsage().heapUsed - before;
  run.stop();
  rig.collect(0);
  rig.collect(1);
  expect(grown).toBeLessThan(LIMIT);
  expect(rig.pool.inUse, 'mbufs that nobody freed').toBe(0);
});
