/**
 * Feature words that a vhost network device offers, from what this version implements and what the user switched on.
 * One place, so that the word in `show` output, in the documentation and on the wire are the same.
 */
import { Feature } from '@pollwire/vhost-user';

const ALWAYS =
  Feature.VIRTIO_NET_F_CSUM |
  Feature.VIRTIO_NET_F_GUEST_CSUM |
  Feature.VIRTIO_NET_F_MTU |
  Feature.VIRTIO_NET_F_GUEST_TSO4 |
  Feature.VIRTIO_NET_F_GUEST_TSO6 |
  Feature.VIRTIO_NET_F_GUEST_ECN |
  Feature.VIRTIO_NET_F_MRG_RXBUF |
  Feature.VIRTIO_NET_F_CTRL_VQ |
  Feature.VIRTIO_NET_F_CTRL_RX |
  Feature.VIRTIO_NET_F_GUEST_ANNOUNCE |
  Feature.VIRTIO_NET_F_MQ |
  Feature.VHOST_F_LOG_ALL |
  Feature.VIRTIO_F_ANY_LAYOUT |
  Feature.VIRTIO_F_INDIRECT_DESC |
  Feature.VIRTIO_F_EVENT_IDX |
  Feature.VHOST_USER_F_PROTOCOL_FEATURES |
  Feature.VIRTIO_F_VERSION_1 |
  Feature.VIRTIO_F_RING_PACKED |
  Feature.VIRTIO_F_IN_ORDER;

/** Permission for the driver to send packets that the device has to cut: the `tso` devarg. */
const SEGMENTATION =
  Feature.VIRTIO_NET_F_HOST_TSO4 | Feature.VIRTIO_NET_F_HOST_TSO6 | Feature.VIRTIO_NET_F_HOST_ECN;

/** What the user may switch. */
export interface OfferOptions {
  /** The driver may send TCP packets larger than the MTU. Default false. */
  readonly tso?: boolean;
  /** A received packet is one mbuf, which such packets would not fit: wins over `tso`, unless they borrow larger buffers. Default false. */
  readonly linear?: boolean;
  /** Packets longer than one mbuf borrow a larger buffer. Default false. */
  readonly external?: boolean;
  /** The guest may have an IOMMU: addresses are translated by the front-end. Default false. */
  readonly iommu?: boolean;
}

/** The virtio feature word that a device offers. */
export function offeredFeatures(options: OfferOptions = {}): bigint {
  const fits = options.linear !== true || options.external === true;
  const segmentation = options.tso === true && fits ? SEGMENTATION : 0n;
  return ALWAYS | segmentation | (options.iommu === true ? Feature.VIRTIO_F_ACCESS_PLATFORM : 0n);
}

/**
 * What to do when a front-end's driver runs with features that are not offered: it negotiated them with the process before this
 * one, which offered more. Undefined when none of them could be offered.
 */
export function remedyFor(missing: bigint): string | undefined {
  if ((missing & SEGMENTATION) === 0n) return undefined;
  return 'the driver negotiated them before a restart: start with tso=1 (and linear-buffer as it was) again';
}

/** Every feature that can be offered, whatever is switched on. */
export const IMPLEMENTED_FEATURES: bigint = ALWAYS | SEGMENTATION | Feature.VIRTIO_F_ACCESS_PLATFORM;

/** What the rings of any device can do: a device of kind `other` offers these beside the bits of its own. */
export const RING_FEATURES: bigint =
  Feature.VIRTIO_F_INDIRECT_DESC |
  Feature.VIRTIO_F_EVENT_IDX |
  Feature.VHOST_USER_F_PROTOCOL_FEATURES |
  Feature.VIRTIO_F_VERSION_1 |
  Feature.VIRTIO_F_RING_PACKED;

/** Bits 24 to 49 belong to rings and transports (virtio 1.2 §6); the others are the device type's own. */
const DEVICE_BITS = 0xff_ffffn | (0x3fffn << 50n);

/** Every feature that a device of kind `other` can offer. */
export const OTHER_FEATURES: bigint = RING_FEATURES | DEVICE_BITS;
