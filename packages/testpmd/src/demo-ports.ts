/**
 * Which ports the demonstration joins, and what moves between them. The one place to change when it should show something else; demo.ts only
 * prints.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EngineName } from './settings.js';
import type { Testpmd } from './testpmd.js';

export interface DemoPorts {
  /** Devargs of the ports. */
  readonly vdevs: readonly string[];
  readonly engine: EngineName;
  /** What the reader sees, one sentence per line. */
  readonly story: readonly string[];
  /** Runs once the ports are up and before forwarding starts, such as a peer in this process; returns how to end it. */
  join?(app: Testpmd): Promise<() => Promise<void>>;
  /** Bursts per stream that set the traffic going. */
  readonly txFirst: number;
}

/** Both ports meet here; the vhost port makes the socket and removes it. */
const SOCKET = join(tmpdir(), `pollwire-demo-${process.pid}.sock`);

export const DEMO_PORTS: DemoPorts = {
  vdevs: [`net_vhost0,iface=${SOCKET}`, `net_virtio_user0,path=${SOCKET}`],
  engine: 'macswap',
  story: [
    'A vhost port and a virtio-user port of this process, joined by their own vhost-user socket: the two sides of a virtual',
    "machine's network card, without the machine. A forwarding engine written in TypeScript swaps the MAC addresses of every",
    'packet and sends it back through the rings.',
  ],
  txFirst: 4,
};
