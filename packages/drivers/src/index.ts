/** @pollwire/drivers: the simple drivers, and all of them as a list for programs that want every one. */
import type { Driver } from '@pollwire/ethdev';
import afPacketDriver from './af-packet.js';
import nullDriver from './null.js';
import pcapDriver from './pcap.js';
import ringDriver from './ring.js';
import tapDriver from './tap.js';
import tunDriver from './tun.js';

export { afPacketDriver, nullDriver, pcapDriver, ringDriver, tapDriver, tunDriver };

/** Every driver of this package, for `Eal.init({ drivers })`. */
export const drivers: readonly Driver[] = [
  nullDriver,
  ringDriver,
  tapDriver,
  tunDriver,
  afPacketDriver,
  pcapDriver,
];
export default drivers;
