/** The statistics block of `stop` and `show fwd stats all`: what forwarding did since it started or was cleared. */
import { formatBursts } from './burst-stats.js';
import { left, lines, right, rule } from './format.js';

export interface BadChecksums {
  ip: number;
  l4: number;
  outerIp: number;
  outerL4: number;
}

export interface StreamStatsReport {
  rxPort: number;
  rxQueue: number;
  txPort: number;
  txQueue: number;
  rxPackets: number;
  txPackets: number;
  txDropped: number;
  /** csum engine only. */
  bad?: BadChecksums;
  /** Bursts by number of packets, index 0 = empty ones; only when recorded. */
  rxBursts?: readonly number[];
  txBursts?: readonly number[];
}

export interface PortForwardReport {
  port: number;
  rxPackets: bigint;
  rxMissed: bigint;
  rxErrors: bigint;
  rxNoMbuf: bigint;
  txPackets: bigint;
  txDropped: bigint;
  bad?: BadChecksums;
  rxBursts?: readonly number[];
  txBursts?: readonly number[];
}

export interface CyclesReport {
  busyCycles: number;
  hz: number;
}

export interface ForwardReport {
  mode: string;
  /** Streams that moved packets, only when there are more streams than ports. */
  streams: readonly StreamStatsReport[];
  ports: readonly PortForwardReport[];
  cycles?: CyclesReport;
}

const PORT_BORDER = '-'.repeat(22);
const ALL_BORDER = '+'.repeat(15);

export function formatForwardStats(report: ForwardReport): string {
  const total = sum(report.ports);
  return (
    report.streams.map(formatStream).join('') +
    report.ports.map(formatPort).join('') +
    lines(
      '',
      `  ${ALL_BORDER} Accumulated forward statistics for all ports${ALL_BORDER}`,
      rxLine(total),
      txLine(total),
      ...(total.rxNoMbuf > 0n ? [`  RX-nombufs: ${left(total.rxNoMbuf, 14)}`] : []),
      rule('+', 76),
    ) +
    formatCycles(report, total)
  );
}

type Totals = Pick<PortForwardReport, 'rxPackets' | 'rxMissed' | 'txPackets' | 'txDropped' | 'rxNoMbuf'>;

function sum(ports: readonly PortForwardReport[]): Totals {
  const total: Totals = { rxPackets: 0n, rxMissed: 0n, txPackets: 0n, txDropped: 0n, rxNoMbuf: 0n };
  for (const port of ports) {
    for (const key of Object.keys(total) as (keyof Totals)[]) total[key] += port[key];
  }
  return total;
}

const rxLine = (t: Totals): string =>
  `  RX-packets: ${left(t.rxPackets, 14)} RX-dropped: ${left(t.rxMissed, 14)}RX-total: ${t.rxPackets + t.rxMissed}`;

const txLine = (t: Totals): string =>
  `  TX-packets: ${left(t.txPackets, 14)} TX-dropped: ${left(t.txDropped, 14)}TX-total: ${t.txPackets + t.txDropped}`;

function formatStream(s: StreamStatsReport): string {
  const from = `RX Port=${right(s.rxPort, 2)}/Queue=${right(s.rxQueue, 2)}`;
  const to = `TX Port=${right(s.txPort, 2)}/Queue=${right(s.txQueue, 2)}`;
  const counts = `RX-packets: ${left(s.rxPackets, 14)} TX-packets: ${left(s.txPackets, 14)} TX-dropped: ${left(s.txDropped, 14)}`;
  return lines(
    '',
    `  ------- Forward Stats for ${from} -> ${to} -------`,
    ...(s.bad === undefined ? [`  ${counts}`] : badStreamLines(counts, s.bad)),
    ...formatBursts('RX', s.rxBursts),
    ...formatBursts('TX', s.txBursts),
  );
}

function badStreamLines(counts: string, bad: BadChecksums): string[] {
  const inner = `  RX- bad IP checksum: ${left(bad.ip, 14)}  Rx- bad L4 checksum: ${left(bad.l4, 14)}`;
  return [
    `  ${counts}${inner} Rx- bad outer L4 checksum: ${left(bad.outerL4, 14)}`,
    ` RX- bad outer IP checksum: ${left(bad.outerIp, 14)}`,
  ];
}

function formatPort(p: PortForwardReport): string {
  const bad = p.bad;
  return lines(
    '',
    `  ${PORT_BORDER} Forward statistics for port ${left(p.port, 2)} ${PORT_BORDER}`,
    rxLine(p),
    ...(bad === undefined
      ? []
      : [
          `  Bad-ipcsum: ${left(bad.ip, 14)} Bad-l4csum: ${left(bad.l4, 14)}Bad-outer-l4csum: ${left(bad.outerL4, 14)}`,
          `  Bad-outer-ipcsum: ${left(bad.outerIp, 14)}`,
        ]),
    ...(p.rxErrors + p.rxNoMbuf > 0n
      ? [`  RX-error: ${p.rxErrors}`, `  RX-nombufs: ${left(p.rxNoMbuf, 14)}`]
      : []),
    txLine(p),
    ...formatBursts('RX', p.rxBursts),
    ...formatBursts('TX', p.txBursts),
    rule('-', 76),
  );
}

function formatCycles(report: ForwardReport, total: Totals): string {
  if (report.cycles === undefined) return '';
  const generates = report.mode === 'txonly' || report.mode === 'flowgen';
  const packets = generates ? total.txPackets : total.rxPackets;
  if (packets === 0n) return '';
  const { busyCycles, hz } = report.cycles;
  const each = (busyCycles / Number(packets)).toFixed(2);
  const counts = `busy cycles=${Math.round(busyCycles)} / total ${report.mode} packets=${packets}`;
  return lines('', `  CPU cycles/packet=${each} (${counts}) at ${Math.round(hz / 1e6)} MHz Clock`);
}
