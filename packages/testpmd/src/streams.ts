/**
 * Who forwards what: ports and queues become streams, streams are dealt out to lcores, all as DPDK does it. Pure; called by Forwarding when a
 * configuration is shown or started.
 */
import type { EngineName, Topology } from './settings.js';

/** One stream: packets of one receive queue, sent on one transmit queue. */
export interface StreamPlan {
  rxPort: number;
  rxQueue: number;
  txPort: number;
  txQueue: number;
}

export interface ForwardPlan {
  /** Forwarding ports in order. */
  ports: readonly number[];
  /** Forwarding lcores with at least one stream each. */
  lcores: { lcore: number; streams: StreamPlan[] }[];
  /** Streams in order, over all lcores. */
  streams: StreamPlan[];
  /** The last of an odd number of paired ports sends to itself, which is worth a warning. */
  lastPairsWithItself: boolean;
}

export interface PlanInput {
  /** Forwarding ports in order. */
  ports: readonly number[];
  topology: Topology;
  rxq: number;
  txq: number;
  engine: EngineName;
  /** Lcores that may forward, in order; the first `nbCores` are used. */
  lcores: readonly number[];
  nbCores: number;
}

/** Index of the port that port number `index` of `count` forwards to. */
export function peerIndex(topology: Topology, index: number, count: number): number {
  if (topology === 'loop') return index;
  if (topology === 'chained') return (index + 1) % count;
  if (index % 2 === 1) return index - 1;
  return index + 1 < count ? index + 1 : index;
}

export function planStreams(input: PlanInput): ForwardPlan {
  const { ports, topology } = input;
  const streams = input.engine === 'icmpecho' ? echoStreams(input) : crossStreams(input);
  const used = input.lcores.slice(0, Math.min(input.nbCores, streams.length));
  return {
    ports,
    lcores: deal(streams, used),
    streams,
    lastPairsWithItself:
      topology === 'paired' && ports.length % 2 === 1 && input.engine !== 'icmpecho' && ports.length > 0,
  };
}

/** Every engine but icmpecho: queue q of a port goes to queue q of its peer; all ports' queue 0 come first. */
function crossStreams({ ports, topology, rxq, txq }: PlanInput): StreamPlan[] {
  const queues = Math.min(rxq, txq);
  const streams: StreamPlan[] = [];
  for (let queue = 0; queue < queues; queue++) {
    ports.forEach((port, index) => {
      const txPort = ports[peerIndex(topology, index, ports.length)] as number;
      streams.push({ rxPort: port, rxQueue: queue, txPort, txQueue: queue });
    });
  }
  return streams;
}

/** icmpecho answers where it was asked: every receive queue, same port; a port's queues follow each other. */
function echoStreams({ ports, rxq, txq }: PlanInput): StreamPlan[] {
  return ports.flatMap((port) =>
    Array.from({ length: rxq }, (_, queue) => ({
      rxPort: port,
      rxQueue: queue,
      txPort: port,
      txQueue: queue % txq,
    })),
  );
}

/** Consecutive streams to each lcore, equal numbers; what does not divide goes to the last ones, one each. */
function deal(streams: readonly StreamPlan[], lcores: readonly number[]): ForwardPlan['lcores'] {
  if (lcores.length === 0) return [];
  const each = Math.floor(streams.length / lcores.length);
  const plain = lcores.length - (streams.length % lcores.length);
  let next = 0;
  return lcores.map((lcore, index) => {
    const count = index < plain ? each : each + 1;
    const mine = streams.slice(next, next + count);
    next += count;
    return { lcore, streams: mine };
  });
}
