/**
 * Optional container for applications (subpath '@pollwire/ethdev/di'): the parts of an Eal under explicit tokens, over tsyringe. Library
 * classes never use it; they take plain constructor arguments.
 *
 * @example
 * class Monitor { constructor(private readonly eal: Eal, private readonly log: Logger) {} }
 * const container = createContainer(eal);
 * container.register(Monitor, { useFactory: (c) => new Monitor(c.resolve(EAL), c.resolve(LOG)) });
 * container.resolve(Monitor);
 */
import './reflect.js';
import type { DependencyContainer, InjectionToken } from 'tsyringe';
import { container as root } from 'tsyringe';
import type { Eal } from './eal.js';
import type { Logger } from './log.js';
import type { Mbufs } from './mbuf.js';
import type { DriverRegistry } from './registry.js';

export type { DependencyContainer, InjectionToken };

export const EAL: InjectionToken<Eal> = Symbol('pollwire.Eal');
export const LOG: InjectionToken<Logger> = Symbol('pollwire.Logger');
export const MBUFS: InjectionToken<Mbufs> = Symbol('pollwire.Mbufs');
export const DRIVERS: InjectionToken<DriverRegistry> = Symbol('pollwire.DriverRegistry');

/** A container of its own (nothing is registered globally) with the parts of `eal`. Disposing of it does not close the Eal. */
export function createContainer(eal: Eal): DependencyContainer {
  const container = root.createChildContainer();
  container.register(EAL, { useValue: eal });
  container.register(LOG, { useValue: eal.log });
  container.register(MBUFS, { useValue: eal.mbufs });
  container.register(DRIVERS, { useValue: eal.drivers });
  return container;
}
