/** `show port info`, `show port summary` and `show device info`: what a port is and can do. */
import { infoTitle, left, lines, onOff } from './format.js';

export interface QueueLimitsReport {
  current: number;
  max: number;
  maxDescriptors: number;
  minDescriptors: number;
  alignment: number;
}

export interface PortInfoReport {
  port: number;
  mac: string;
  device: string;
  driver: string;
  firmware?: string;
  devargs: string;
  linkUp: boolean;
  linkSpeed: string;
  fullDuplex: boolean;
  autoneg: boolean;
  mtu: number;
  minMtu?: number;
  maxMtu?: number;
  promiscuous: boolean;
  allMulticast: boolean;
  maxMacs: number;
  maxHashMacs: number;
  vlan: { strip: boolean; filter: boolean; extend: boolean; qinqStrip: boolean };
  /** Names of flow types; empty = no RSS. */
  rssTypes: readonly string[];
  hashKeySize?: number;
  retaSize?: number;
  minRxBuffer: number;
  maxRxPacket: number;
  maxLroPacket: number;
  rx: QueueLimitsReport;
  tx: QueueLimitsReport;
  maxSegments: number;
  maxMtuSegments: number;
  capabilities: { mask: number; names: readonly string[] };
  errorHandling: string;
  /** The driver's own lines. */
  privateInfo: Readonly<Record<string, string>>;
}

export function formatPortInfo(r: PortInfoReport): string {
  return lines('', ...identity(r), ...linkLines(r), ...addressLines(r), ...limitLines(r), ...tail(r));
}

const identity = (r: PortInfoReport): string[] => [
  infoTitle(`Infos for port ${left(r.port, 2)}`),
  `MAC address: ${r.mac}`,
  `Device name: ${r.device}`,
  `Driver name: ${r.driver}`,
  `Firmware-version: ${r.firmware ?? 'not available'}`,
  `Devargs: ${r.devargs}`,
  'Connect to socket: 0',
  'memory allocation on the socket: 0',
];

const linkLines = (r: PortInfoReport): string[] => [
  `Link status: ${r.linkUp ? 'up' : 'down'}`,
  `Link speed: ${r.linkSpeed}`,
  `Link duplex: ${r.fullDuplex ? 'full-duplex' : 'half-duplex'}`,
  `Autoneg status: ${r.autoneg ? 'On' : 'Off'}`,
  `MTU: ${r.mtu}`,
  ...(r.minMtu === undefined ? [] : [`Minimum MTU: ${r.minMtu}`]),
  ...(r.maxMtu === undefined ? [] : [`Maximum MTU: ${r.maxMtu}`]),
];

const addressLines = (r: PortInfoReport): string[] => [
  `Promiscuous mode: ${r.promiscuous ? 'enabled' : 'disabled'}`,
  `Allmulticast mode: ${r.allMulticast ? 'enabled' : 'disabled'}`,
  `Maximum number of MAC addresses: ${r.maxMacs}`,
  `Maximum number of MAC addresses of hash filtering: ${r.maxHashMacs}`,
  'VLAN offload: ',
  `  strip ${onOff(r.vlan.strip)}, filter ${onOff(r.vlan.filter)}, extend ${onOff(r.vlan.extend)}, ` +
    `qinq strip ${onOff(r.vlan.qinqStrip)}`,
  ...(r.hashKeySize === undefined ? [] : [`Hash key size in bytes: ${r.hashKeySize}`]),
  ...(r.retaSize === undefined ? [] : [`Redirection table size: ${r.retaSize}`]),
  ...(r.rssTypes.length === 0
    ? ['No RSS offload flow type is supported.']
    : ['Supported RSS offload flow types:', ...r.rssTypes.map((name) => `  ${name}`)]),
];

const queueLines = (q: QueueLimitsReport, direction: 'RX' | 'TX'): string[] => [
  `Current number of ${direction} queues: ${q.current}`,
  `Max possible ${direction} queues: ${q.max}`,
  `Max possible number of ${direction}Ds per queue: ${q.maxDescriptors}`,
  `Min possible number of ${direction}Ds per queue: ${q.minDescriptors}`,
  `${direction}Ds number alignment: ${q.alignment}`,
];

const limitLines = (r: PortInfoReport): string[] => [
  `Minimum size of RX buffer: ${r.minRxBuffer}`,
  `Maximum configurable length of RX packet: ${r.maxRxPacket}`,
  `Maximum configurable size of LRO aggregated packet: ${r.maxLroPacket}`,
  ...queueLines(r.rx, 'RX'),
  ...queueLines(r.tx, 'TX'),
  `Max segment number per packet: ${r.maxSegments}`,
  `Max segment number per MTU/TSO: ${r.maxMtuSegments}`,
];

function tail(r: PortInfoReport): string[] {
  const own = Object.entries(r.privateInfo).map(([key, value]) => `${key}: ${value}`);
  return [
    `Device capabilities: 0x${r.capabilities.mask.toString(16)}( ${r.capabilities.names.map((name) => `${name} `).join('')})`,
    `Device error handling mode: ${r.errorHandling}`,
    ...(own.length === 0 ? [] : ['Device private info:', ...own.map((line) => `  ${line}`)]),
  ];
}

export interface PortSummaryReport {
  port: number;
  mac: string;
  name: string;
  driver: string;
  up: boolean;
  speed: string;
}

/** The table of `show port summary`; `available` counts all ports, `rows` may be one. */
export function formatPortSummary(available: number, rows: readonly PortSummaryReport[]): string {
  return lines(
    `Number of available ports: ${available}`,
    'Port MAC Address       Name         Driver         Status   Link',
    ...rows.map(
      (r) =>
        `${left(r.port, 4)} ${r.mac} ${left(r.name, 12)} ${left(r.driver, 14)} ${left(r.up ? 'up' : 'down', 8)} ${r.speed}`,
    ),
  );
}

export interface DeviceInfoReport {
  name: string;
  driver: string;
  devargs: string;
  ports: readonly { port: number; mac: string; name: string }[];
}

export function formatDeviceInfo(r: DeviceInfoReport): string {
  return lines(
    '',
    infoTitle(`Infos for device ${r.name}`),
    'Bus name: vdev',
    'Bus information: ',
    `Driver name: ${r.driver}`,
    `Devargs: ${r.devargs}`,
    'Connect to socket: 0',
    ...r.ports.flatMap((p) => [
      '',
      `\tPort id: ${left(p.port, 2)}`,
      `\tMAC address: ${p.mac}`,
      `\tDevice name: ${p.name}`,
      '\tDevice speed capability: Autonegotiate (all speeds)',
    ]),
  );
}
