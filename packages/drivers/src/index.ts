/** @pollwire/drivers: the simple drivers, and all of them as a list for programs that want every one. */
import type { Driver } from '@pollwire/ethdev';
import nullDriver from './null.js';
import ringDriver from './ring.js';

export { nullDriver, ringDriver };

/** Every driver of this package, for `Eal.init({ drivers })`. */
export const drivers: readonly Driver[] = [nullDriver, ringDriver];
export default drivers;
