/** `show config fwd` and the first part of `start`: which lcore forwards which streams. */
import { lines } from './format.js';

export interface ForwardConfigReport {
  mode: string;
  ports: number;
  streams: number;
  retry?: { count: number; delayUs: number };
  lcores: readonly {
    lcore: number;
    streams: readonly { rxPort: number; rxQueue: number; txPort: number; txQueue: number; peer: string }[];
  }[];
}

export function formatForwardConfig(r: ForwardConfigReport): string {
  const retry = r.retry;
  return lines(
    `${r.mode} packet forwarding${retry === undefined ? '' : ' with retry'} - ports=${r.ports} - cores=${r.lcores.length} - ` +
      `streams=${r.streams} - NUMA support enabled, MP allocation mode: native`,
    ...(retry === undefined
      ? []
      : [`TX retry num: ${retry.count}, delay between TX retries: ${retry.delayUs}us`]),
    ...r.lcores.flatMap(({ lcore, streams }) => [
      `Logical Core ${lcore} (socket 0) forwards packets on ${streams.length} streams:`,
      ...streams.map(
        (s) =>
          `  RX P=${s.rxPort}/Q=${s.rxQueue} (socket 0) -> TX P=${s.txPort}/Q=${s.txQueue} (socket 0) peer=${s.peer}`,
      ),
    ]),
    '',
  );
}
