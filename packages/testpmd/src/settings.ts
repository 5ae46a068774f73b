/**
 * Everything testpmd can be told, as one plain object: filled by the command line (options/), changed by commands, read by the rest.
 * Defaults are DPDK's.
 */

import type { IdleMode, TxOffload } from '@pollwire/ethdev';
import { txOffloadMask, withVlanOffload } from '@pollwire/ethdev';

export type Topology = 'paired' | 'chained' | 'loop';

export const ENGINE_NAMES = [
  'io',
  'mac',
  'macswap',
  'flowgen',
  'rxonly',
  'txonly',
  'csum',
  'icmpecho',
  'noisy',
  '5tswap',
] as const;
export type EngineName = (typeof ENGINE_NAMES)[number];

/** Largest burst, packets. */
export const MAX_BURST = 512;

/** Port events that can be printed, by the names of `--print-event`, with the words DPDK prints. */
export const EVENT_TEXTS = {
  unknown: 'unknown',
  intr_lsc: 'link state change',
  queue_state: 'queue state',
  intr_reset: 'reset',
  vf_mbox: 'VF mbox',
  ipsec: 'IPsec',
  macsec: 'MACsec',
  intr_rmv: 'device removal',
  dev_probed: 'device probed',
  dev_released: 'device released',
  flow_aged: 'flow aged',
  rx_avail_thresh: 'RxQ available descriptors threshold reached',
  err_recovering: 'error recovering',
  recovery_success: 'error recovery successful',
  recovery_failed: 'error recovery failed',
} as const;
export type EventName = keyof typeof EVENT_TEXTS;

const QUIET_EVENTS: readonly EventName[] = ['dev_probed', 'dev_released', 'vf_mbox', 'rx_avail_thresh'];

/** What the noisy engine simulates. */
export interface NoisySettings {
  /** Packets held back in a FIFO; 0 = none. */
  bufferSize: number;
  /** FIFO is emptied after this many milliseconds without a flush; 0 = never. */
  flushMs: number;
  /** MiB of memory that is looked up; 0 = none. */
  memoryMiB: number;
  writes: number;
  reads: number;
  readWrites: number;
  /** What happens to the packets themselves. */
  mode: 'io' | 'mac' | 'macswap' | '5tswap';
}

/** What txonly and flowgen send. */
export interface TrafficSettings {
  /** Segment lengths of a generated packet, bytes; their sum is the packet length. */
  segments: number[];
  /** txonly: vary the UDP source port. */
  multiFlow: boolean;
  txonlyFlows: number;
  flowgenFlows: number;
  /** Additional copies of each flowgen packet. */
  flowgenClones: number;
  /** txonly: IPv4 addresses, dotted. */
  ipSource: string;
  ipDestination: string;
  udpSource: number;
  udpDestination: number;
}

/** Work that the csum engine leaves to a port: absent = done in software. */
export interface ChecksumOffloads {
  ip: boolean;
  udp: boolean;
  tcp: boolean;
}

export interface Settings {
  interactive: boolean;
  autoStart: boolean;
  /** Send one txonly burst per stream before forwarding (non-interactive). */
  txFirst: boolean;
  commandFiles: { path: string; echo: boolean }[];
  /** Seconds between two statistics screens; 0 = none. */
  statsPeriod: number;
  displayXstats: string[];

  engine: EngineName;
  retry: boolean;
  retryDelayUs: number;
  retryCount: number;
  burst: number;
  verbose: number;
  /** What a forwarding lcore does when there is nothing to do. */
  idle: IdleMode;
  recordCycles: boolean;
  recordBursts: boolean;
  flushRx: boolean;

  /** Number of forwarding lcores; capped at what EAL has. */
  nbCores: number;
  /** Forwarding lcores in order; undefined = the first ones EAL has. */
  coreList: number[] | undefined;
  nbPorts: number | undefined;
  /** Forwarding ports in order; undefined = all. */
  portList: number[] | undefined;
  topology: Topology;
  /** Peer MAC by port; ports without an entry use 02:00:00:00:00:0N. */
  ethPeers: Map<number, string>;

  rxq: number;
  txq: number;
  /** Descriptors per queue; 0 = the driver's default. */
  rxd: number;
  txd: number;
  mtu: number | undefined;
  maxPktLen: number | undefined;
  /** Bytes of buffer per mbuf, headroom included; more than one makes more than one pool. */
  mbufSizes: number[];
  totalMbufs: number | undefined;
  mbufCache: number;
  rxOffloads: number;
  txOffloads: number;

  linkInterrupt: boolean;
  removalInterrupt: boolean;
  checkLinks: boolean;
  startDevices: boolean;
  printEvents: Set<EventName>;
  hideZeroXstats: boolean;

  traffic: TrafficSettings;
  noisy: NoisySettings;
  /** csum engine: what each tx port computes itself. */
  checksum: Map<number, ChecksumOffloads>;
  /** csum engine: payload bytes per TCP segment that a tx port cuts longer packets into; absent = not cut. */
  tso: Map<number, number>;
  /** Tag that a tx port puts into what mac, macswap and txonly send. */
  txVlan: Map<number, number>;
  /** VLAN part of a port's receive offloads where it was set by hand: VLAN_STRIP and others. */
  vlan: Map<number, number>;
}

export function defaultSettings(): Settings {
  return {
    interactive: false,
    autoStart: false,
    txFirst: false,
    commandFiles: [],
    statsPeriod: 0,
    displayXstats: [],
    engine: 'io',
    retry: false,
    retryDelayUs: 1,
    retryCount: 64,
    burst: 32,
    verbose: 0,
    idle: 'spin',
    recordCycles: false,
    recordBursts: false,
    flushRx: true,
    nbCores: 1,
    coreList: undefined,
    nbPorts: undefined,
    portList: undefined,
    topology: 'paired',
    ethPeers: new Map(),
    rxq: 1,
    txq: 1,
    rxd: 0,
    txd: 0,
    mtu: undefined,
    maxPktLen: undefined,
    mbufSizes: [2048 + 128],
    totalMbufs: undefined,
    mbufCache: 250,
    rxOffloads: 0,
    txOffloads: 0,
    linkInterrupt: true,
    removalInterrupt: true,
    checkLinks: true,
    startDevices: true,
    printEvents: new Set(
      (Object.keys(EVENT_TEXTS) as EventName[]).filter((name) => !QUIET_EVENTS.includes(name)),
    ),
    hideZeroXstats: false,
    traffic: defaultTraffic(),
    noisy: defaultNoisy(),
    checksum: new Map(),
    tso: new Map(),
    txVlan: new Map(),
    vlan: new Map(),
  };
}

export function defaultTraffic(): TrafficSettings {
  return {
    segments: [64],
    multiFlow: false,
    txonlyFlows: 1024,
    flowgenFlows: 1024,
    flowgenClones: 0,
    ipSource: '198.18.0.1',
    ipDestination: '198.18.0.2',
    udpSource: 9,
    udpDestination: 9,
  };
}

export function defaultNoisy(): NoisySettings {
  return { bufferSize: 0, flushMs: 0, memoryMiB: 0, writes: 0, reads: 0, readWrites: 0, mode: 'io' };
}

/** Receive offloads that a port is configured with. */
export function rxOffloadsOf(settings: Settings, port: number): number {
  const vlan = settings.vlan.get(port);
  return vlan === undefined ? settings.rxOffloads : withVlanOffload(settings.rxOffloads, vlan);
}

/** Transmit offloads that a port is configured with: those asked for, and those that its other settings need. */
export function txOffloadsOf(settings: Settings, port: number): number {
  const checksum = settings.checksum.get(port);
  const needed: TxOffload[] = [];
  if (checksum?.ip === true) needed.push('IPV4_CKSUM');
  if (checksum?.udp === true) needed.push('UDP_CKSUM');
  if (checksum?.tcp === true) needed.push('TCP_CKSUM');
  if (settings.tso.has(port)) needed.push('TCP_TSO');
  if (settings.txVlan.has(port)) needed.push('VLAN_INSERT');
  return (settings.txOffloads | txOffloadMask(needed)) >>> 0;
}

/** The port is gone; its id may come back with a device that can do less. */
export function forgetOffloads(settings: Settings, port: number): void {
  for (const map of [settings.checksum, settings.tso, settings.txVlan, settings.vlan]) map.delete(port);
}

/** DPDK's default peer of port `port`: a locally administered address whose last byte is the port. */
export function peerOf(settings: Settings, port: number): string {
  return settings.ethPeers.get(port) ?? `02:00:00:00:00:${port.toString(16).padStart(2, '0').toUpperCase()}`;
}
