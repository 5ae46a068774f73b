import { describe, expect, it } from 'vitest';
import type { PlanInput } from './streams.js';
import { peerIndex, planStreams } from './streams.js';

const input = (more: Partial<PlanInput>): PlanInput => ({
  ports: [0, 1],
  topology: 'paired',
  rxq: 1,
  txq: 1,
  engine: 'io',
  lcores: [1, 2, 3],
  nbCores: 1,
  ...more,
});

/** Streams as 'rx.q>tx.q'. */
const text = (more: Partial<PlanInput>): string[] =>
  planStreams(input(more)).streams.map((s) => `${s.rxPort}.${s.rxQueue}>${s.txPort}.${s.txQueue}`);

describe('topologies', () => {
  it.each([
    ['paired', [1, 0, 3, 2]],
    ['chained', [1, 2, 3, 0]],
    ['loop', [0, 1, 2, 3]],
  ] as const)('%s of four ports', (topology, expected) => {
    expect([0, 1, 2, 3].map((index) => peerIndex(topology, index, 4))).toEqual(expected);
  });

  it('pairs the last of an odd number with itself, and says so', () => {
    expect(text({ ports: [0, 1, 2] })).toEqual(['0.0>1.0', '1.0>0.0', '2.0>2.0']);
    expect(planStreams(input({ ports: [0, 1, 2] })).lastPairsWithItself).toBe(true);
    expect(planStreams(input({ ports: [0, 1, 2], topology: 'loop' })).lastPairsWithItself).toBe(false);
    expect(planStreams(input({})).lastPairsWithItself).toBe(false);
    expect(planStreams(input({ ports: [] })).lastPairsWithItself).toBe(false);
  });

  it('follows the order of the port list', () => {
    expect(text({ ports: [5, 2] })).toEqual(['5.0>2.0', '2.0>5.0']);
  });
});

describe('queues', () => {
  it('gives every port its queue 0 first', () => {
    expect(text({ rxq: 2, txq: 2 })).toEqual(['0.0>1.0', '1.0>0.0', '0.1>1.1', '1.1>0.1']);
  });

  it('uses as many queues as both directions have', () => {
    expect(text({ rxq: 1, txq: 4 })).toHaveLength(2);
    expect(text({ rxq: 3, txq: 2 })).toHaveLength(4);
  });

  it('answers every receive queue on its own port with icmpecho', () => {
    expect(text({ engine: 'icmpecho', rxq: 3, txq: 2 })).toEqual([
      '0.0>0.0',
      '0.1>0.1',
      '0.2>0.0',
      '1.0>1.0',
      '1.1>1.1',
      '1.2>1.0',
    ]);
  });
});

describe('lcores', () => {
  const shares = (more: Partial<PlanInput>) =>
    planStreams(input(more)).lcores.map(({ lcore, streams }) => [lcore, streams.length]);

  it('uses one unless told otherwise', () => {
    expect(shares({})).toEqual([[1, 2]]);
  });

  it('never uses more than there are streams', () => {
    expect(shares({ nbCores: 3 })).toEqual([
      [1, 1],
      [2, 1],
    ]);
  });

  it('gives what does not divide to the last ones', () => {
    expect(shares({ nbCores: 3, rxq: 4, txq: 4 })).toEqual([
      [1, 2],
      [2, 3],
      [3, 3],
    ]);
  });

  it('deals consecutive streams and loses none', () => {
    const plan = planStreams(input({ nbCores: 2, ports: [0, 1, 2], rxq: 3, txq: 3 }));
    expect(plan.lcores.flatMap(({ streams }) => streams)).toEqual(plan.streams);
  });

  it('has none without lcores or ports', () => {
    expect([shares({ lcores: [] }), shares({ ports: [] })]).toEqual([[], []]);
  });
});
