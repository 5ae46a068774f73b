import { expect, it } from 'vitest';
import type { PoolDemand } from './pools.js';
import { mbufsNeeded } from './pools.js';

const port = (queues: number, descriptors: number) => ({
  rxQueues: queues,
  txQueues: queues,
  rxDescriptors: descriptors,
  txDescriptors: descriptors,
});
const demand = (more: Partial<PoolDemand>): PoolDemand => ({
  ports: [port(1, 512), port(1, 512)],
  lcores: 2,
  cache: 250,
  burst: 32,
  segments: 1,
  held: 0,
  ...more,
});

it.each<[string, Partial<PoolDemand>, number]>([
  ['two ports of 512 + 512', {}, 5120], // 2048 used, 2048 spare, 2 × (375 + 64) in lcores = 4974
  ['no port at all', { ports: [] }, 4096],
  ['8 queues', { ports: [port(8, 512)] }, 25_600], // 8192 + 16384 + 878
  ['4 segments per packet', { segments: 4 }, 12_288], // 5120 + 5120 + 2 × (375 + 256)
  ['a FIFO of 10000 per stream', { held: 10_000 }, 25_600], // 20000 more
  ['deep rings', { ports: [port(1, 32_768)] }, 68_608], // 65536 + 2048 + 878
])('%s', (_name, more, expected) => {
  expect(mbufsNeeded(demand(more))).toBe(expected);
});

it('stays far below what a fixed 32 ports would take', () => {
  expect(mbufsNeeded(demand({})) * 2240).toBeLessThan(16 * 2 ** 20);
});
