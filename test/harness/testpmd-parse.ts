/**
 * Readers of testpmd's text output, the same for DPDK's and for ours. Pure functions from text to numbers; TestpmdSession
 * calls them, and so may a test that captured text itself.
 */

export interface PortStats {
  rxPackets: number;
  rxMissed: number;
  rxBytes: number;
  rxErrors: number;
  rxNombuf: number;
  txPackets: number;
  txErrors: number;
  txBytes: number;
  rxPps: number;
  txPps: number;
}

export interface ForwardStats {
  rxPackets: number;
  rxDropped: number;
  rxTotal: number;
  txPackets: number;
  txDropped: number;
  txTotal: number;
}

export interface ForwardReport {
  /** By port id. */
  ports: Map<number, ForwardStats>;
  total: ForwardStats;
}

/** Occupancy of one mbuf pool. `free` counts the shared ring and the per-lcore caches. */
export interface PoolState {
  size: number;
  free: number;
}

/** A number after `label:`, which must be there. */
function field(text: string, label: string): number {
  const match = new RegExp(`(?:^|\\s)${label}:\\s*(\\d+)`, 'm').exec(text);
  if (match === null) throw new Error(`no "${label}:" in testpmd output:\n${text}`);
  return Number(match[1]);
}

/** `show port stats P`. */
export function parsePortStats(text: string): PortStats {
  return {
    rxPackets: field(text, 'RX-packets'),
    rxMissed: field(text, 'RX-missed'),
    rxBytes: field(text, 'RX-bytes'),
    rxErrors: field(text, 'RX-errors'),
    rxNombuf: field(text, 'RX-nombuf'),
    txPackets: field(text, 'TX-packets'),
    txErrors: field(text, 'TX-errors'),
    txBytes: field(text, 'TX-bytes'),
    rxPps: field(text, 'Rx-pps'),
    txPps: field(text, 'Tx-pps'),
  };
}

/** `show port info P`: key to value as printed, one entry per `Key: value` line. */
export function parsePortInfo(text: string): Map<string, string> {
  const info = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([A-Za-z][^:]*):\s?(.*)$/.exec(line);
    if (match !== null) info.set(match[1] as string, (match[2] as string).trim());
  }
  return info;
}

/** `show port xstats P`: name to value. */
export function parseXstats(text: string): Map<string, number> {
  const values = new Map<string, number>();
  for (const match of text.matchAll(/^\s*([a-z]\w+): (\d+)\s*$/gm)) {
    values.set(match[1] as string, Number(match[2]));
  }
  return values;
}

/**
 * Packets of one queue out of the extended statistics: ethdev's `rx_q0_packets`, or the vhost library's
 * `rx_q0_good_packets` where only that exists.
 */
export function queuePackets(xstats: Map<string, number>, direction: 'rx' | 'tx', queue: number): number {
  const names = [`${direction}_q${queue}_packets`, `${direction}_q${queue}_good_packets`];
  const found = names.map((name) => xstats.get(name)).filter((value) => value !== undefined);
  if (found.length === 0) {
    throw new Error(`none of ${names.join(', ')} in: ${[...xstats.keys()].join(' ')}`);
  }
  return Math.max(...found);
}

function parseForwardBlock(text: string): ForwardStats {
  return {
    rxPackets: field(text, 'RX-packets'),
    rxDropped: field(text, 'RX-dropped'),
    rxTotal: field(text, 'RX-total'),
    txPackets: field(text, 'TX-packets'),
    txDropped: field(text, 'TX-dropped'),
    txTotal: field(text, 'TX-total'),
  };
}

/** `show fwd stats all`, or what `stop` prints. */
export function parseForwardReport(text: string): ForwardReport {
  const ports = new Map<number, ForwardStats>();
  const blocks = text.matchAll(/-+ Forward statistics for port (\d+)\s+-+\n([\s\S]*?)\n\s*-{20,}/g);
  for (const block of blocks) ports.set(Number(block[1]), parseForwardBlock(block[2] as string));
  const total = /\++ Accumulated forward statistics for all ports\++\n([\s\S]*?)\n\s*\+{20,}/.exec(text);
  if (total === null) throw new Error(`no accumulated forward statistics in testpmd output:\n${text}`);
  return { ports, total: parseForwardBlock(total[1] as string) };
}

/** The pool called `name` in the answer of `dump_mempool`. */
export function parsePoolState(text: string, name: string): PoolState {
  const block = text.split(/^mempool </m).find((part) => part.startsWith(`${name}>`)) ?? '';
  const number = (label: string) =>
    Number(new RegExp(`^\\s*${label}=(\\d+)`, 'm').exec(block)?.[1] ?? Number.NaN);
  const size = number('size');
  const free = number('common_pool_count') + (number('total_cache_count') || 0);
  if (Number.isNaN(size) || Number.isNaN(free))
    throw new Error(`no mempool ${name} in testpmd output:\n${text}`);
  return { size, free };
}
