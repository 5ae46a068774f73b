/**
 * The composition of a testpmd process: which Eal, which drivers, which clock, where text goes. The only file that knows tsyringe; classes take
 * plain arguments. Called by main.ts and demo.ts; tests register other values under the same tokens.
 */
import './reflect.js';
import drivers from '@pollwire/drivers';
import type { EalOptions, Logger } from '@pollwire/ethdev';
import { Eal } from '@pollwire/ethdev';
import netVhost from '@pollwire/vhost';
import netVirtioUser from '@pollwire/virtio';
import type { DependencyContainer, InjectionToken } from 'tsyringe';
import { instanceCachingFactory, container as root } from 'tsyringe';
import type { Clock, Output } from './output.js';
import { processOutput, systemClock } from './output.js';
import type { Settings } from './settings.js';
import { Testpmd } from './testpmd.js';

/** Drivers of this workspace; `-d MODULE` adds others. */
export const BUILT_IN_DRIVERS = [...drivers, netVhost, netVirtioUser] as const;

const token = <T>(name: string): InjectionToken<T> & { readonly of?: T } => Symbol(name) as never;

export const TOKENS = {
  Eal: token<Eal>('Eal'),
  Logger: token<Logger>('Logger'),
  Clock: token<Clock>('Clock'),
  Output: token<Output>('Output'),
  Settings: token<Settings>('Settings'),
  Testpmd: token<Testpmd>('Testpmd'),
} as const;

/** A container of its own for one process or test: the edges with their usual values. */
export function createContainer(): DependencyContainer {
  const container = root.createChildContainer();
  container.register<Output>(TOKENS.Output, { useFactory: instanceCachingFactory(processOutput) });
  container.register<Clock>(TOKENS.Clock, { useValue: systemClock });
  container.register<Logger>(TOKENS.Logger, { useFactory: (c) => c.resolve<Eal>(TOKENS.Eal).log });
  container.register<Testpmd>(TOKENS.Testpmd, {
    useFactory: instanceCachingFactory(
      (c) =>
        new Testpmd({
          eal: c.resolve<Eal>(TOKENS.Eal),
          settings: c.resolve<Settings>(TOKENS.Settings),
          out: c.resolve<Output>(TOKENS.Output),
          clock: c.resolve<Clock>(TOKENS.Clock),
        }),
    ),
  });
  return container;
}

/** Starts the Eal with the built-in drivers and registers it, together with the settings. Throws what Eal.init throws. */
export async function startEal(
  container: DependencyContainer,
  options: EalOptions,
  settings: Settings,
): Promise<Testpmd> {
  const out = container.resolve<Output>(TOKENS.Output);
  const eal = await Eal.init(
    { ...options, drivers: [...BUILT_IN_DRIVERS, ...(options.drivers ?? [])] },
    (line) => out.error(line),
  );
  container.register<Eal>(TOKENS.Eal, { useValue: eal });
  container.register<Settings>(TOKENS.Settings, { useValue: settings });
  return container.resolve<Testpmd>(TOKENS.Testpmd);
}
