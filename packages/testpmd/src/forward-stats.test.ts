import type { PortStats } from '@pollwire/ethdev';
import { describe, expect, it } from 'vitest';
import { STREAM, streamDoubles } from './forward-data.js';
import type { Measurement } from './forward-stats.js';
import { ForwardBaseline } from './forward-stats.js';
import { planStreams } from './streams.js';

const plan = (queues: number) =>
  planStreams({
    ports: [0, 1],
    topology: 'paired',
    rxq: queues,
    txq: queues,
    engine: 'io',
    lcores: [1],
    nbCores: 1,
  });

function ports() {
  const stats = [0, 1].map(
    (): PortStats => ({
      ipackets: 100n,
      opackets: 50n,
      ibytes: 0n,
      obytes: 0n,
      imissed: 3n,
      ierrors: 0n,
      oerrors: 0n,
      rxNombuf: 0n,
    }),
  );
  const present = new Set([0, 1]);
  return {
    stats: stats as [PortStats, PortStats],
    present,
    get: (id: number) => (present.has(id) ? { stats: () => ({ ...(stats[id] as PortStats) }) } : undefined),
  };
}

function measurement(queues: number, more: Partial<Record<keyof typeof STREAM, number>> = {}): Measurement {
  const counters = new Array<number>(streamDoubles(false)).fill(0);
  for (const [name, value] of Object.entries(more)) counters[STREAM[name as keyof typeof STREAM]] = value;
  return {
    engine: 'io',
    recordBursts: false,
    streams: plan(queues).streams.map((stream) => ({ stream, counters: [...counters] })),
  };
}

describe('forward statistics', () => {
  it('count from the start, not from when ports began to count', () => {
    const source = ports();
    const baseline = new ForwardBaseline(plan(1), source);
    source.stats[0].ipackets += 7n;
    source.stats[1].opackets += 5n;
    const [zero, one] = baseline.report(measurement(1, { DROPPED: 2 })).ports;
    expect([zero?.rxPackets, zero?.rxMissed, zero?.txPackets, zero?.txDropped]).toEqual([7n, 0n, 0n, 2n]);
    expect([one?.rxPackets, one?.txPackets]).toEqual([0n, 5n]);
  });

  it('leave out what was flushed before the engine ran', () => {
    const source = ports();
    const baseline = new ForwardBaseline(plan(1), source);
    source.stats[0].ipackets += 40n;
    expect(baseline.report(measurement(1, { FLUSHED: 32 })).ports[0]?.rxPackets).toBe(8n);
  });

  it('start again at zero when cleared, flushed packets included', () => {
    const source = ports();
    const baseline = new ForwardBaseline(plan(1), source);
    source.stats[0].ipackets += 40n;
    const now = measurement(1, { RX: 8, DROPPED: 1, FLUSHED: 32 });
    baseline.reset(now);
    const report = baseline.report(now);
    expect(report.ports[0]).toMatchObject({ rxPackets: 0n, txDropped: 0n });
  });

  it('follow when the port itself was set back', () => {
    const source = ports();
    const baseline = new ForwardBaseline(plan(1), source);
    source.stats[0] = { ...source.stats[0], ipackets: 4n, opackets: 0n, imissed: 0n };
    baseline.portCleared(0);
    expect(baseline.report(measurement(1)).ports[0]).toMatchObject({ rxPackets: 4n, rxMissed: 0n });
  });

  it('name streams only when there are more than ports, and only those that moved packets', () => {
    const source = ports();
    expect(new ForwardBaseline(plan(1), source).report(measurement(1, { RX: 5 })).streams).toEqual([]);
    const now = measurement(2);
    (now.streams[3]?.counters as number[])[STREAM.RX] = 5;
    const { streams } = new ForwardBaseline(plan(2), source).report(now);
    expect(streams.map((s) => [s.rxPort, s.rxQueue, s.rxPackets])).toEqual([[1, 1, 5]]);
  });

  it('go on without a port that is gone, and before an lcore has counters', () => {
    const source = ports();
    const baseline = new ForwardBaseline(plan(1), source);
    source.present.delete(0);
    const empty = { ...measurement(1), streams: plan(1).streams.map((stream) => ({ stream, counters: [] })) };
    expect(baseline.report(empty).ports.map((port) => port.port)).toEqual([1]);
  });
});
