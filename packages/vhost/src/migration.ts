/**
 * What live migration asks of a vhost device besides its rings: logging of the pages that it writes, and the announcement of a
 * guest that has arrived. Used by VhostDevice.
 */
import { native } from '@pollwire/native';
import type { FeatureChange, VringAddr } from '@pollwire/vhost-user';
import { Feature, VRING_F_LOG } from '@pollwire/vhost-user';

/** The ring whose receiver gets the announcement: what the guest sends on its first queue. */
export const RARP_RING = 1;

/** Whether writes to the ring's used part are logged (VHOST_VRING_F_LOG). */
export function logsUsed(addr: VringAddr): boolean {
  return (addr.flags & VRING_F_LOG) !== 0;
}

/** Logging goes on or off with VHOST_F_LOG_ALL, while the rings run. */
export function switchLogging(device: number, { features, previous }: FeatureChange): void {
  if (((features ^ previous) & Feature.VHOST_F_LOG_ALL) === 0n) return;
  native.vhostLogAll(device, (features & Feature.VHOST_F_LOG_ALL) !== 0n);
}

const FRAME_BYTES = 60;
const ETHERTYPE_RARP = 0x8035;
const HARDWARE_ETHERNET = 1;
const PROTOCOL_IPV4 = 0x0800;
const REVERSE_REQUEST = 3;

/**
 * The broadcast by which switches learn where a station is now: "who am I?" (RFC 903), asked with its own MAC address.
 * 60 bytes, the shortest Ethernet frame.
 */
export function rarpFrame(mac: Uint8Array): Uint8Array {
  const frame = new Uint8Array(FRAME_BYTES);
  const view = new DataView(frame.buffer);
  frame.fill(0xff, 0, 6);
  frame.set(mac, 6);
  view.setUint16(12, ETHERTYPE_RARP);
  view.setUint16(14, HARDWARE_ETHERNET);
  view.setUint16(16, PROTOCOL_IPV4);
  view.setUint8(18, mac.length);
  view.setUint8(19, 4);
  view.setUint16(20, REVERSE_REQUEST);
  // Sender and target hardware address; both protocol addresses are unknown.
  frame.set(mac, 22);
  frame.set(mac, 32);
  return frame;
}
