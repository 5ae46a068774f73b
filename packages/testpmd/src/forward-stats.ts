/**
 * Forward statistics as differences: remembers counters as they were when forwarding started or was cleared, and makes the report of what
 * happened since. Pure but for reading ports.
 */
import type { PortStats } from '@pollwire/ethdev';
import { native } from '@pollwire/native';
import { STREAM } from './forward-data.js';
import type {
  BadChecksums,
  ForwardReport,
  PortForwardReport,
  StreamStatsReport,
} from './report/forward-stats.js';
import type { EngineName } from './settings.js';
import { MAX_BURST } from './settings.js';
import type { ForwardPlan, StreamPlan } from './streams.js';

/** A stream's doubles, indexed by STREAM; empty until its lcore has started. */
export interface StreamCounters {
  stream: StreamPlan;
  counters: readonly number[];
}

export interface Measurement {
  engine: EngineName;
  recordBursts: boolean;
  streams: readonly StreamCounters[];
  /** Over all lcores; only when recorded. */
  busyCycles?: number;
}

/** Where port statistics come from; a port may be gone. */
export interface PortSource {
  get(id: number): { stats(): PortStats } | undefined;
}

const NO_STATS: PortStats = {
  ipackets: 0n,
  opackets: 0n,
  ibytes: 0n,
  obytes: 0n,
  imissed: 0n,
  ierrors: 0n,
  oerrors: 0n,
  rxNombuf: 0n,
};

export class ForwardBaseline {
  private readonly ports = new Map<number, PortStats>();
  private streams: readonly StreamCounters[] = [];
  private busyCycles = 0;

  constructor(
    private readonly plan: ForwardPlan,
    private readonly source: PortSource,
  ) {
    this.readPorts();
  }

  /** From now on everything counts from `now`. */
  reset(now: Measurement): void {
    this.streams = now.streams;
    this.busyCycles = now.busyCycles ?? 0;
    this.readPorts();
  }

  portCleared(port: number): void {
    if (this.ports.has(port)) this.ports.set(port, NO_STATS);
  }

  private readPorts(): void {
    for (const id of this.plan.ports) this.ports.set(id, this.source.get(id)?.stats() ?? NO_STATS);
  }

  report(now: Measurement): ForwardReport {
    const streams = now.streams.map((one, i) => this.streamReport(one, this.streams[i], now));
    const moved = streams.filter((s) => s.rxPackets + s.txPackets + s.txDropped > 0);
    return {
      mode: now.engine,
      streams: streams.length > this.plan.ports.length ? moved : [],
      ports: this.plan.ports.flatMap((id) => this.portReport(id, streams, now) ?? []),
      ...(now.busyCycles === undefined
        ? {}
        : { cycles: { busyCycles: now.busyCycles - this.busyCycles, hz: native.tscHz() } }),
    };
  }

  /** Packets that were flushed before forwarding began are the port's, not forwarding's. */
  private flushed(port: number, now: Measurement): bigint {
    const sum = (all: readonly StreamCounters[]): number =>
      all
        .filter(({ stream }) => stream.rxPort === port)
        .reduce((total, { counters }) => total + (counters[STREAM.FLUSHED] ?? 0), 0);
    return BigInt(sum(now.streams) - sum(this.streams));
  }

  private streamReport(
    now: StreamCounters,
    before: StreamCounters | undefined,
    m: Measurement,
  ): StreamStatsReport {
    const since = (index: number): number => (now.counters[index] ?? 0) - (before?.counters[index] ?? 0);
    const bursts = (from: number): number[] =>
      Array.from({ length: MAX_BURST + 1 }, (_, n) => since(from + n));
    return {
      ...now.stream,
      rxPackets: since(STREAM.RX),
      txPackets: since(STREAM.TX),
      txDropped: since(STREAM.DROPPED),
      ...(m.engine === 'csum'
        ? {
            bad: {
              ip: since(STREAM.BAD_IP),
              l4: since(STREAM.BAD_L4),
              outerIp: since(STREAM.BAD_OUTER_IP),
              outerL4: since(STREAM.BAD_OUTER_L4),
            },
          }
        : {}),
      ...(m.recordBursts ? { rxBursts: bursts(STREAM.RX_BURSTS), txBursts: bursts(STREAM.TX_BURSTS) } : {}),
    };
  }

  /** Undefined when the port is gone. */
  private portReport(
    id: number,
    streams: readonly StreamStatsReport[],
    m: Measurement,
  ): PortForwardReport | undefined {
    const now = this.source.get(id)?.stats();
    if (now === undefined) return undefined;
    const before = this.ports.get(id) ?? NO_STATS;
    const since = (key: keyof PortStats): bigint => now[key] - before[key];
    const received = streams.filter((s) => s.rxPort === id);
    const sent = streams.filter((s) => s.txPort === id);
    const dropped = sent.reduce((sum, s) => sum + s.txDropped, 0);
    return {
      port: id,
      rxPackets: since('ipackets') - this.flushed(id, m),
      rxMissed: since('imissed'),
      rxErrors: since('ierrors'),
      rxNoMbuf: since('rxNombuf'),
      txPackets: since('opackets'),
      txDropped: BigInt(dropped) + since('oerrors'),
      ...(m.engine === 'csum' ? { bad: sumBad(received) } : {}),
      ...(m.recordBursts
        ? { rxBursts: sumBursts(received, 'rxBursts'), txBursts: sumBursts(sent, 'txBursts') }
        : {}),
    };
  }
}

function sumBad(streams: readonly StreamStatsReport[]): BadChecksums {
  const total: BadChecksums = { ip: 0, l4: 0, outerIp: 0, outerL4: 0 };
  for (const { bad } of streams) {
    for (const key of Object.keys(total) as (keyof BadChecksums)[]) total[key] += bad?.[key] ?? 0;
  }
  return total;
}

function sumBursts(streams: readonly StreamStatsReport[], which: 'rxBursts' | 'txBursts'): number[] {
  return Array.from({ length: MAX_BURST + 1 }, (_, n) =>
    streams.reduce((sum, s) => sum + (s[which]?.[n] ?? 0), 0),
  );
}
