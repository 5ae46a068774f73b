/** Which protocol features a device's handler makes possible: an absent method is an absent bit. */
import type { BackendHandler } from './backend-handler.js';
import type { ProtocolFeatureName } from './protocol-features.js';
import { ProtocolFeature } from './protocol-features.js';

export type Method = keyof BackendHandler;

/** The handler methods that a bit stands for; all of them are needed. Bits without an entry are never derived. */
export const FEATURE_METHODS: Readonly<Partial<Record<ProtocolFeatureName, readonly Method[]>>> = {
  MQ: [],
  REPLY_ACK: [],
  LOG_SHMFD: ['setLogBase'],
  RARP: ['sendRarp'],
  NET_MTU: ['setMtu'],
  BACKEND_REQ: ['setBackendChannel'],
  PAGEFAULT: ['postcopyAdvise', 'postcopyListen', 'postcopyEnd', 'postcopyAddress'],
  CONFIG: ['getConfig'],
  BACKEND_SEND_FD: ['setBackendChannel'],
  HOST_NOTIFIER: ['setBackendChannel'],
  INFLIGHT_SHMFD: ['getInflightFd', 'setInflightFd'],
  RESET_DEVICE: ['resetDevice'],
  INBAND_NOTIFICATIONS: ['kickVring', 'setBackendChannel'],
  CONFIGURE_MEM_SLOTS: ['addMemoryRegion', 'removeMemoryRegion'],
  STATUS: ['setStatus'],
};

/** The word that the handler's methods add up to. */
export function derivedProtocolFeatures(handler: BackendHandler): bigint {
  let word = 0n;
  for (const [name, methods] of Object.entries(FEATURE_METHODS) as [
    ProtocolFeatureName,
    readonly Method[],
  ][]) {
    if (methods.every((method) => handler[method] !== undefined)) {
      word |= ProtocolFeature[name];
    }
  }
  return word;
}
