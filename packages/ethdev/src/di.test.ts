import { afterEach, beforeEach, expect, it } from 'vitest';
import { createContainer, DRIVERS, EAL, LOG, MBUFS } from './di.js';
import type { Eal } from './eal.js';
import { testEal } from './fixtures/test-eal.js';
import type { Logger } from './log.js';

let eal: Eal;
beforeEach(async () => {
  eal = await testEal();
});
afterEach(() => eal.close());

it('resolves the parts of an Eal by token', () => {
  const container = createContainer(eal);
  // Compared here and not by the matcher, which would print an Eal with its arena.
  expect(container.resolve(EAL) === eal).toBe(true);
  expect(container.resolve(MBUFS) === eal.mbufs).toBe(true);
  expect(container.resolve(DRIVERS).find('test_source0').name).toBe('test_source');
});

it('builds what is registered with a factory', () => {
  class Monitor {
    constructor(
      readonly eal: Eal,
      readonly log: Logger,
    ) {}
  }
  const container = createContainer(eal);
  container.register(Monitor, { useFactory: (c) => new Monitor(c.resolve(EAL), c.resolve(LOG)) });
  const monitor = container.resolve(Monitor);
  expect([monitor.eal === eal, monitor.log === eal.log]).toEqual([true, true]);
});

it('injects by decorator with explicit tokens, called as a function here', async () => {
  const { inject, injectable } = await import('tsyringe');
  class Monitor {
    constructor(readonly eal: Eal) {}
  }
  inject(EAL)(Monitor, undefined, 0);
  injectable()(Monitor as unknown as new (...args: unknown[]) => Monitor);
  expect(createContainer(eal).resolve(Monitor).eal === eal).toBe(true);
});

it('shares nothing between containers', () => {
  createContainer(eal);
  const { parent } = createContainer(eal) as unknown as { parent: { isRegistered(token: unknown): boolean } };
  expect(parent.isRegistered(EAL)).toBe(false);
});
