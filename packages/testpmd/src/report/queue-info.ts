/** `show rxq info` and `show txq info`: how one queue is set up. */
import { infoTitle, left, lines, onOff } from './format.js';

export interface RxQueueReport {
  port: number;
  queue: number;
  mempool: string;
  scattered: boolean;
  started: boolean;
  bufferSize?: number;
  descriptors: number;
  burstMode?: string;
}

export interface TxQueueReport {
  port: number;
  queue: number;
  started: boolean;
  descriptors: number;
  burstMode?: string;
}

const state = (started: boolean): string => (started ? 'started' : 'stopped');
const mode = (text: string | undefined): string[] => (text === undefined ? [] : [`Burst mode: ${text}`]);

/** Thresholds are those of hardware rings; there are none, so they are 0. */
export function formatRxQueueInfo(r: RxQueueReport): string {
  return lines(
    '',
    infoTitle(`Infos for port ${left(r.port, 2)}, RX queue ${left(r.queue, 2)}`),
    `Mempool: ${r.mempool}`,
    'RX prefetch threshold: 0',
    'RX host threshold: 0',
    'RX writeback threshold: 0',
    'RX free threshold: 0',
    'RX drop packets: off',
    'RX deferred start: off',
    `RX scattered packets: ${onOff(r.scattered)}`,
    `Rx queue state: ${state(r.started)}`,
    ...(r.bufferSize === undefined ? [] : [`RX buffer size: ${r.bufferSize}`]),
    `Number of RXDs: ${r.descriptors}`,
    ...mode(r.burstMode),
    '',
  );
}

export function formatTxQueueInfo(r: TxQueueReport): string {
  return lines(
    '',
    infoTitle(`Infos for port ${left(r.port, 2)}, TX queue ${left(r.queue, 2)}`),
    'TX prefetch threshold: 0',
    'TX host threshold: 0',
    'TX writeback threshold: 0',
    'TX RS threshold: 0',
    'TX free threshold: 0',
    'TX deferred start: off',
    `Number of TXDs: ${r.descriptors}`,
    `Tx queue state: ${state(r.started)}`,
    ...mode(r.burstMode),
    '',
  );
}
