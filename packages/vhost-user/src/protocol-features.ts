/**
 * Protocol feature bits of vhost-user (GET/SET_PROTOCOL_FEATURES), as masks by name, and what depends on what.
 */
import { bitNames } from './features.js';

const bit = (n: number): bigint => 1n << BigInt(n);

/** `VHOST_USER_PROTOCOL_F_…` masks. */
export const ProtocolFeature = {
  MQ: bit(0),
  LOG_SHMFD: bit(1),
  RARP: bit(2),
  REPLY_ACK: bit(3),
  NET_MTU: bit(4),
  BACKEND_REQ: bit(5),
  CROSS_ENDIAN: bit(6),
  CRYPTO_SESSION: bit(7),
  PAGEFAULT: bit(8),
  CONFIG: bit(9),
  BACKEND_SEND_FD: bit(10),
  HOST_NOTIFIER: bit(11),
  INFLIGHT_SHMFD: bit(12),
  RESET_DEVICE: bit(13),
  INBAND_NOTIFICATIONS: bit(14),
  CONFIGURE_MEM_SLOTS: bit(15),
  STATUS: bit(16),
  XEN_MMAP: bit(17),
  SHARED_OBJECT: bit(18),
  DEVICE_STATE: bit(19),
  GET_VRING_BASE_INFLIGHT: bit(20),
  SHMEM: bit(21),
} as const;
export type ProtocolFeatureName = keyof typeof ProtocolFeature;

/** Names of the protocol features in a word, lowest bit first. */
export function protocolFeatureNames(word: bigint): string[] {
  return bitNames(word, ProtocolFeature);
}

/**
 * What is wrong with a set of protocol features, in one line, or undefined.
 * In-band notifications without the back-end channel and reply-ack are an error that ends the connection.
 */
export function protocolFeatureConflict(word: bigint): string | undefined {
  const needed = ProtocolFeature.BACKEND_REQ | ProtocolFeature.REPLY_ACK;
  const missing = needed & ~word;
  if ((word & ProtocolFeature.INBAND_NOTIFICATIONS) !== 0n && missing !== 0n) {
    return `INBAND_NOTIFICATIONS needs ${protocolFeatureNames(missing).join(' and ')} as well`;
  }
  return undefined;
}
