/** Which virtio features a virtio-user port asks for, from its devargs. DPDK's defaults. */
import { Feature } from '@pollwire/vhost-user';

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
