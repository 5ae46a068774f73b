/** What a live port, queue or pool looks like as a report: the step between ethdev's objects and report/. */
import type { Port } from '@pollwire/ethdev';
import { formatMac, formatSpeed, RX_OFFLOADS } from '@pollwire/ethdev';
import type {
  DeviceInfoReport,
  PortInfoReport,
  PortSummaryReport,
  QueueLimitsReport,
} from './report/port-info.js';
import type { RxQueueReport, TxQueueReport } from './report/queue-info.js';

/** Segments per packet: the mbuf's own limit, no driver has a lower one. */
const MAX_SEGMENTS = 65_535;

export function describePort(port: Port): PortInfoReport {
  const { info, link } = port;
  const offloads = port.config?.rxOffloads ?? 0;
  const has = (name: keyof typeof RX_OFFLOADS): boolean => (offloads & (1 << RX_OFFLOADS[name])) !== 0;
  return {
    port: port.id,
    mac: formatMac(port.mac),
    device: port.name,
    driver: port.driverName,
    devargs: argumentsOf(port.devargs),
    linkUp: link.up,
    linkSpeed: formatSpeed(link.speed),
    fullDuplex: link.duplex === 'full',
    autoneg: link.autoneg,
    mtu: port.mtu,
    minMtu: info.minMtu,
    maxMtu: info.maxMtu,
    promiscuous: port.promiscuous,
    allMulticast: port.allMulticast,
    maxMacs: info.maxMacs,
    maxHashMacs: 0,
    vlan: {
      strip: has('VLAN_STRIP'),
      filter: has('VLAN_FILTER'),
      extend: has('VLAN_EXTEND'),
      qinqStrip: has('QINQ_STRIP'),
    },
    rssTypes: [],
    ...(info.hashKeySize > 0 ? { hashKeySize: info.hashKeySize } : {}),
    ...(info.retaSize > 0 ? { retaSize: info.retaSize } : {}),
    minRxBuffer: info.minRxBufSize,
    maxRxPacket: info.maxRxPktLen,
    maxLroPacket: 0,
    rx: queueLimits(port.config?.rxQueues ?? 0, info.maxRxQueues, info.rxDescriptors),
    tx: queueLimits(port.config?.txQueues ?? 0, info.maxTxQueues, info.txDescriptors),
    maxSegments: MAX_SEGMENTS,
    maxMtuSegments: MAX_SEGMENTS,
    capabilities: { mask: 0, names: [] },
    errorHandling: info.errorHandling,
    privateInfo: port.privateInfo(),
  };
}

function queueLimits(
  current: number,
  max: number,
  descriptors: { min: number; max: number; align: number },
): QueueLimitsReport {
  const { min, max: most, align } = descriptors;
  return { current, max, maxDescriptors: most, minDescriptors: min, alignment: align };
}

/** `net_vhost0,iface=/tmp/s` → `iface=/tmp/s`: DPDK prints what stands behind the device name. */
function argumentsOf(devargs: string): string {
  const comma = devargs.indexOf(',');
  return comma < 0 ? '' : devargs.slice(comma + 1);
}

export function summarizePort(port: Port): PortSummaryReport {
  return {
    port: port.id,
    mac: formatMac(port.mac),
    name: port.name,
    driver: port.driverName,
    up: port.link.up,
    speed: formatSpeed(port.link.speed),
  };
}

export function describeDevice(port: Port): DeviceInfoReport {
  return {
    name: port.name,
    driver: port.driverName,
    devargs: argumentsOf(port.devargs),
    ports: [{ port: port.id, mac: formatMac(port.mac), name: port.name }],
  };
}

/** Throws PORT_STATE or QUEUE_UNKNOWN when there is no such queue. */
export function describeRxQueue(port: Port, id: number): RxQueueReport {
  const queue = port.rxQueue(id);
  return {
    port: port.id,
    queue: id,
    mempool: queue.pool.name,
    scattered: port.driver.capabilities.multiSegRx === true,
    started: port.state === 'started',
    bufferSize: queue.pool.dataRoom,
    descriptors: queue.descriptors,
    burstMode: queue.view.slot >= 0 ? 'Native' : 'Script',
  };
}

export function describeTxQueue(port: Port, id: number): TxQueueReport {
  const queue = port.txQueue(id);
  return {
    port: port.id,
    queue: id,
    started: port.state === 'started',
    descriptors: queue.descriptors,
    burstMode: queue.view.slot >= 0 ? 'Native' : 'Script',
  };
}
