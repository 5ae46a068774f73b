/** `show config rxtx`, also part of `start`: burst size, queues and descriptors of the forwarding ports. */
import { lines } from './format.js';

export interface PortRxTx {
  port: number;
  rxQueues: number;
  txQueues: number;
  rxOffloads: number;
  txOffloads: number;
  rxDescriptors: number;
  txDescriptors: number;
}

export interface RxTxConfigReport {
  mode: string;
  retry: boolean;
  burst: number;
  /** Set for engines that make packets. */
  generated?: { length: number; segments: number };
  cores: number;
  ports: readonly PortRxTx[];
}

const hex = (mask: number): string => `0x${mask.toString(16)}`;

export function formatRxTxConfig(r: RxTxConfigReport): string {
  return lines(
    `  ${r.mode} packet forwarding${r.retry ? ' with retry' : ''} packets/burst=${r.burst}`,
    ...(r.generated === undefined
      ? []
      : [`  packet len=${r.generated.length} - nb packet segments=${r.generated.segments}`]),
    `  nb forwarding cores=${r.cores} - nb forwarding ports=${r.ports.length}`,
    ...r.ports.flatMap(portLines),
  );
}

/** Only queue 0 is shown: all queues of a port are set up alike. */
function portLines(p: PortRxTx): string[] {
  const threshold = (direction: string): string =>
    `      ${direction} threshold registers: pthresh=0 hthresh=0  wthresh=0`;
  const rx = [
    '    RX queue: 0',
    `      RX desc=${p.rxDescriptors} - RX free threshold=0`,
    threshold('RX'),
    `      RX Offloads=${hex(p.rxOffloads)}`,
  ];
  const tx = [
    '    TX queue: 0',
    `      TX desc=${p.txDescriptors} - TX free threshold=0`,
    threshold('TX'),
    `      TX offloads=${hex(p.txOffloads)} - TX RS bit threshold=0`,
  ];
  return [
    `  port ${p.port}: RX queue number: ${p.rxQueues} Tx queue number: ${p.txQueues}`,
    `    Rx offloads=${hex(p.rxOffloads)} Tx offloads=${hex(p.txOffloads)}`,
    ...(p.rxQueues > 0 ? rx : []),
    ...(p.txQueues > 0 ? tx : []),
  ];
}
