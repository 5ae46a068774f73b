/** The MTU of a virtio-user port: its limit, and whether receive buffers can hold it. Called by virtio-user.ts and user-port.ts. */
import { L } from '@pollwire/native';

/** Longest frame of DPDK's virtio driver, the virtio-net header included. */
export const MAX_RX_PKT_LEN = 9728;
const VIRTIO_HEADER = 12;
/** Ethernet header and one VLAN tag. */
const FRAME_OVERHEAD = 14 + 4;

/** Largest layer 3 packet. */
export const MAX_MTU = MAX_RX_PKT_LEN - VIRTIO_HEADER - FRAME_OVERHEAD;

/**
 * Without mergeable buffers a frame has to fit into one buffer (virtio 1.2 §5.1.6.3.1).
 * @param dataRoom of the pool's mbufs, headroom included
 * @returns what is wrong and what helps, or undefined
 */
export function bufferProblem(mtu: number, dataRoom: number): string | undefined {
  const frame = mtu + FRAME_OVERHEAD;
  const room = dataRoom - L.MBUF_HEADROOM;
  if (frame <= room) return undefined;
  const remedy = `use mrg_rxbuf=1 with a back-end that has it, or mbufs of ${frame + L.MBUF_HEADROOM} bytes`;
  return `MTU ${mtu} means frames of ${frame} bytes, and receive buffers without mergeable ones hold ${room}; ${remedy}`;
}
