/** Static facts about a port (rte_eth_dev_info): limits and capabilities with every default filled in. Made by Port, printed by testpmd. */
import type { Device, Driver } from './driver.js';
import { rxOffloadMask, txOffloadMask } from './offloads.js';

export interface DescriptorInfo {
  min: number;
  max: number;
  align: number;
  powerOfTwo: boolean;
  default: number;
}

export interface PortInfo {
  driverName: string;
  numaNode: number;
  minMtu: number;
  maxMtu: number;
  minRxBufSize: number;
  maxRxPktLen: number;
  maxRxQueues: number;
  maxTxQueues: number;
  maxMacs: number;
  maxMulticastMacs: number;
  rxDescriptors: DescriptorInfo;
  txDescriptors: DescriptorInfo;
  /** Masks of what can be configured. */
  rxOffloadCapa: number;
  txOffloadCapa: number;
  /** Entries of the RSS redirection table; 0 = no RSS. */
  retaSize: number;
  hashKeySize: number;
  /** Mbit/s. */
  speeds: readonly number[];
  lsc: boolean;
  rmv: boolean;
  queueState: boolean;
  rxInterrupt: boolean;
  alwaysPromiscuous: boolean;
  errorHandling: 'none' | 'passive' | 'proactive';
}

const DEFAULT_DESCRIPTORS = 512;

export function portInfo(driver: Driver, device: Device): PortInfo {
  const { capabilities } = driver;
  const limits = { ...driver.limits, ...device.limits };
  const { min, max, align = 1, powerOfTwo = false } = limits.descriptors;
  const wanted = limits.descriptors.default ?? DEFAULT_DESCRIPTORS;
  const descriptors = { min, max, align, powerOfTwo, default: Math.min(max, Math.max(min, wanted)) };
  return {
    driverName: driver.name,
    numaNode: device.numaNode ?? 0,
    minMtu: limits.minMtu ?? 68,
    maxMtu: limits.maxMtu ?? 65_535,
    minRxBufSize: limits.minRxBuf ?? 0,
    maxRxPktLen: limits.maxRxPktLen,
    maxRxQueues: limits.rxQueues,
    maxTxQueues: limits.txQueues,
    maxMacs: limits.macs ?? 1,
    maxMulticastMacs: limits.multicastMacs ?? Number.POSITIVE_INFINITY,
    rxDescriptors: descriptors,
    txDescriptors: descriptors,
    rxOffloadCapa: rxOffloadMask(capabilities.rxOffloads),
    txOffloadCapa: txOffloadMask(capabilities.txOffloads),
    retaSize: 0,
    hashKeySize: 0,
    speeds: capabilities.speeds ?? [],
    lsc: capabilities.lsc ?? false,
    rmv: capabilities.rmv ?? false,
    queueState: capabilities.queueState ?? false,
    rxInterrupt: capabilities.rxInterrupt ?? false,
    alwaysPromiscuous: capabilities.alwaysPromiscuous ?? false,
    errorHandling: 'none',
  };
}

/** `count` brought within the limits: 0 → default, rounded up to alignment or power of two, clamped. */
export function adjustDescriptors(count: number, info: DescriptorInfo): number {
  const wanted = count === 0 ? info.default : count;
  const aligned = Math.ceil(wanted / info.align) * info.align;
  const rounded = info.powerOfTwo ? 2 ** Math.ceil(Math.log2(Math.max(1, aligned))) : aligned;
  return Math.min(info.max, Math.max(info.min, rounded));
}
