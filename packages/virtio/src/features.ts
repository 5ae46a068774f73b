/** Which virtio features a virtio-user port asks for, from its devargs and the offloads it is configured with. DPDK's defaults. */
import { RX_OFFLOADS, TX_OFFLOADS } from '@pollwire/ethdev';
import { Feature, maskDependents } from '@pollwire/vhost-user';

/** The devargs that decide. */
export interface FeatureArgs {
  readonly queues: number;
  readonly mrg_rxbuf: boolean;
  readonly in_order: boolean;
  readonly packed_vq: boolean;
}

/** Without this there is no modern device to drive. */
export const REQUIRED = Feature.VIRTIO_F_VERSION_1;

const ALWAYS =
  Feature.VIRTIO_F_VERSION_1 |
  Feature.VIRTIO_F_INDIRECT_DESC |
  Feature.VIRTIO_NET_F_MTU |
  Feature.VIRTIO_NET_F_STATUS;

/** Features to ask for; the back-end's offer cuts them down. */
export function wishedFeatures(args: FeatureArgs): bigint {
  let word = ALWAYS;
  if (args.mrg_rxbuf) word |= Feature.VIRTIO_NET_F_MRG_RXBUF;
  if (args.in_order) word |= Feature.VIRTIO_F_IN_ORDER;
  if (args.packed_vq) word |= Feature.VIRTIO_F_RING_PACKED;
  // The control queue itself is answered here and never acked to the back-end, as DPDK's virtio-user does.
  if (args.queues > 1) word |= Feature.VIRTIO_NET_F_MQ;
  return word;
}

const RX_CHECKSUMS = Feature.VIRTIO_NET_F_GUEST_CSUM;
const RX_LARGE = Feature.VIRTIO_NET_F_GUEST_TSO4 | Feature.VIRTIO_NET_F_GUEST_TSO6;
const TX_CHECKSUMS = Feature.VIRTIO_NET_F_CSUM;
const TX_LARGE = Feature.VIRTIO_NET_F_HOST_TSO4 | Feature.VIRTIO_NET_F_HOST_TSO6;

/** What each offload asks for; large packets come with their checksums open (virtio 1.2 §5.1.3.1). */
const RX_FEATURES: readonly (readonly [offload: number, features: bigint])[] = [
  [RX_OFFLOADS.UDP_CKSUM, RX_CHECKSUMS],
  [RX_OFFLOADS.TCP_CKSUM, RX_CHECKSUMS],
  [RX_OFFLOADS.TCP_LRO, RX_CHECKSUMS | RX_LARGE],
];
const TX_FEATURES: typeof RX_FEATURES = [
  [TX_OFFLOADS.UDP_CKSUM, TX_CHECKSUMS],
  [TX_OFFLOADS.TCP_CKSUM, TX_CHECKSUMS],
  [TX_OFFLOADS.TCP_TSO, TX_CHECKSUMS | TX_LARGE],
];

/** Every feature that an offload may ask for. */
export const OFFLOAD_FEATURES: bigint = RX_CHECKSUMS | RX_LARGE | TX_CHECKSUMS | TX_LARGE;

/** Features that a port with these offloads (masks in ethdev's numbering) asks for, beyond {@link wishedFeatures}. */
export function offloadFeatures(rxOffloads: number, txOffloads: number): bigint {
  const sum = (table: typeof RX_FEATURES, mask: number) =>
    table.reduce((word, [bit, features]) => ((mask & (1 << bit)) !== 0 ? word | features : word), 0n);
  return sum(RX_FEATURES, rxOffloads) | sum(TX_FEATURES, txOffloads);
}

/**
 * The features to ack: of what the back-end offers, the offloads only as far as `offloads` asks for them. Without mergeable buffers no
 * receive buffer holds a large packet, so that they are left out.
 */
export function ackedFeatures(offered: bigint, offloads: bigint): bigint {
  let word = offered & (~OFFLOAD_FEATURES | offloads);
  if ((word & Feature.VIRTIO_NET_F_MRG_RXBUF) === 0n) word &= ~RX_LARGE;
  return maskDependents(word);
}

/** What the offloads of the receive side wanted and did not get, in words; undefined when nothing is missing. */
export function missingRxOffloads(acked: bigint, offloads: bigint): string | undefined {
  const missing = offloads & ~acked & (RX_CHECKSUMS | RX_LARGE);
  if (missing === 0n) return undefined;
  return (missing & RX_CHECKSUMS) !== 0n ? 'checksums are not offloaded' : 'large packets are not received';
}
