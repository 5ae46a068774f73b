/** `show port stats`: counters of one port and its rates since it was last shown. */
import { left, lines, right, rule } from './format.js';

export interface PortStatsReport {
  port: number;
  rxPackets: bigint;
  rxMissed: bigint;
  rxBytes: bigint;
  rxErrors: bigint;
  rxNoMbuf: bigint;
  txPackets: bigint;
  txErrors: bigint;
  txBytes: bigint;
  /** Per second. */
  rxPps: bigint;
  txPps: bigint;
  /** Bits per second. */
  rxBps: bigint;
  txBps: bigint;
  /** Extended statistics asked for by --display-xstats. */
  xstats?: readonly (readonly [name: string, value: bigint])[];
}

export function formatPortStats(r: PortStatsReport): string {
  const border = '#'.repeat(24);
  return lines(
    '',
    `  ${border} NIC statistics for port ${left(r.port, 2)} ${border}`,
    `  RX-packets: ${left(r.rxPackets, 10)} RX-missed: ${left(r.rxMissed, 10)} RX-bytes:  ${r.rxBytes}`,
    `  RX-errors: ${r.rxErrors}`,
    `  RX-nombuf:  ${left(r.rxNoMbuf, 10)}`,
    `  TX-packets: ${left(r.txPackets, 10)} TX-errors: ${left(r.txErrors, 10)} TX-bytes:  ${r.txBytes}`,
    '',
    '  Throughput (since last show)',
    `  Rx-pps: ${right(r.rxPps, 12)}          Rx-bps: ${right(r.rxBps, 12)}`,
    `  Tx-pps: ${right(r.txPps, 12)}          Tx-bps: ${right(r.txBps, 12)}`,
    ...(r.xstats ?? []).map(([name, value]) => `  ${name}: ${value}`),
    rule('#', 76),
  );
}

/** `show port xstats`: every counter the port knows, by name. */
export function formatXstats(
  port: number,
  xstats: readonly (readonly [string, bigint])[],
  hideZero: boolean,
): string {
  const shown = hideZero ? xstats.filter(([, value]) => value !== 0n) : xstats;
  return lines(
    `###### NIC extended statistics for port ${left(port, 2)}`,
    ...shown.map(([name, value]) => `${name}: ${value}`),
  );
}
