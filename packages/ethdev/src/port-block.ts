/**
 * A port's block in the arena: what the main isolate publishes and every isolate may read without asking. Written by Port, read by
 * PortRef.
 *
 *    0  u32 flags (PORT_FLAGS)     4  u32 MTU     8  u32 speed, Mbit/s     12  6 bytes MAC address
 */
import { arena } from '@pollwire/native';
import type { LinkStatus } from './link.js';

/** Byte offsets, and the size. */
export const PORT_BLOCK = { FLAGS: 0, MTU: 4, SPEED: 8, MAC: 12, BYTES: 64 } as const;
export const PORT_FLAGS = { LINK_UP: 1, STARTED: 2 } as const;

export function publishPort(
  block: number,
  mac: Uint8Array,
  mtu: number,
  link: LinkStatus,
  started: boolean,
): void {
  const memory = arena();
  memory.bytes(block + PORT_BLOCK.MAC, 6).set(mac);
  memory.store(block + PORT_BLOCK.MTU, mtu);
  memory.store(block + PORT_BLOCK.SPEED, link.speed | 0);
  memory.store(
    block + PORT_BLOCK.FLAGS,
    (link.up ? PORT_FLAGS.LINK_UP : 0) | (started ? PORT_FLAGS.STARTED : 0),
  );
}
