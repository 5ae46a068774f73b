/**
 * The conformance suite: what every driver owes its users, run from a test file of a few lines. What is tested follows from the driver's
 * limits and capabilities, never from its name. Uses the process's Eal; one driver per test file.
 */
import { readdirSync } from 'node:fs';
import type { Driver, Mempool, Port } from '@pollwire/ethdev';
import { Eal } from '@pollwire/ethdev';
import { native } from '@pollwire/native';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeTraffic } from './driver-traffic.js';

/** The other side of a port, for drivers that are neither loopback nor source and sink. */
export interface DriverPeer {
  /** Hands frames to the port's rx queue; returns how many were taken. */
  send(frames: readonly Uint8Array[], queue: number): number;
  /** Frames that the port sent on its tx queue since the last call. */
  receive(queue: number): Uint8Array[];
  close(): Promise<void>;
}

export interface DriverCase {
  readonly driver: Driver;
  /** Devargs behind the device name for the `n`th attach, with a leading comma: `,iface=/tmp/x0`; '' for none. */
  devargs(n: number): string;
  /** Devargs that must be refused, with a part of the error text. */
  readonly refused: readonly (readonly [devargs: string, text: RegExp])[];
  /** Connects the other side of a started port. */
  peer?(port: Port, n: number, eal: Eal): Promise<DriverPeer>;
  /** Drivers that the other side needs. */
  readonly peerDrivers?: readonly Driver[];
  /**
   * What becomes of packets that the other side has no room for: they stay with the caller (default), or are lost behind the port, as on a
   * wire.
   */
  readonly overflow?: 'refused' | 'lost';
  /** Queue pairs to use in the multi-queue test; their devargs must allow it. Default 1: no such test. */
  readonly pairs?: number;
}

/** What a test gets: a fresh port, and the pool whose balance is checked afterwards. */
export interface DriverBench {
  readonly eal: Eal;
  readonly pool: Mempool;
  /** A port that is attached, and detached after the test whatever happened. */
  attach(pairs?: number): Promise<{ port: Port; n: number }>;
}

const POOL_SIZE = 2048;

export function describeDriver(test: DriverCase): void {
  const { driver } = test;
  let eal: Eal;
  let pool: Mempool;
  let attached = 0;
  const open: Port[] = [];

  const bench: DriverBench = {
    get eal() {
      return eal;
    },
    get pool() {
      return pool;
    },
    async attach() {
      const n = attached++;
      const port = await eal.attach(`${driver.name}${n}${test.devargs(n)}`);
      open.push(port);
      return { port, n };
    },
  };

  /** Runs a body with a port; afterwards the port is gone and nothing of it is left. */
  function withPort(body: (port: Port, n: number) => void | Promise<void>): () => Promise<void> {
    return async () => {
      const descriptorsBefore = openDescriptors();
      const { port, n } = await bench.attach();
      try {
        await body(port, n);
      } finally {
        if (eal.port(port.id) === port) {
          if (port.state === 'started') await port.stop();
          await eal.detach(port);
        }
        open.splice(open.indexOf(port), 1);
      }
      expect(native.poolInfo(pool.index).free).toBe(POOL_SIZE);
      expect(native.poolLeaks(pool.index)).toEqual([]);
      expect(native.mbufViolations()).toBe(0);
      expect(openDescriptors()).toBeLessThanOrEqual(descriptorsBefore);
    };
  }

  const ready = async (port: Port, pairs = 1) => {
    port.configure({ rxQueues: pairs, txQueues: pairs });
    for (let q = 0; q < pairs; q++) {
      port.setupRxQueue(q, { pool });
      port.setupTxQueue(q);
    }
    // Test frames are not addressed to the port.
    port.setPromiscuous(true);
    await port.start();
  };

  describe(`driver ${driver.name}`, () => {
    beforeAll(async () => {
      eal = await Eal.init({
        memory: 64,
        huge: 'never',
        lcores: '0',
        drivers: [driver, ...(test.peerDrivers ?? [])],
      });
      pool = eal.createPool({ name: 'conformance', size: POOL_SIZE, cache: 64 });
      // What the process opens once (its epoll instance, for instance) is not a leak of the first test.
      await eal.detach(await eal.attach(`${driver.name}${attached}${test.devargs(attached++)}`));
    });
    afterAll(async () => {
      await eal.close();
    });

    it(
      'attaches by name, says what it is, and goes without a trace',
      withPort((port) => {
        expect(port.driverName).toBe(driver.name);
        expect(port.state).toBe('attached');
        expect(port.mac).toHaveLength(6);
        expect(port.info.maxRxQueues).toBeGreaterThan(0);
      }),
    );

    it.each(driver.aliases)('attaches as %s', async (alias) => {
      const n = attached++;
      const port = await eal.attach(`${alias}${n}${test.devargs(n)}`);
      expect(port.driverName).toBe(driver.name);
      await eal.detach(port);
    });

    it.each(test.refused)('refuses %s with its reason', async (devargs, text) => {
      await expect(eal.attach(`${driver.name}${attached++}${devargs}`)).rejects.toThrow(text);
      expect([...eal.ports.values()]).toEqual([]);
    });

    it('refuses an unknown devarg and suggests the right one', async () => {
      await expect(
        eal.attach(`${driver.name}${attached}${test.devargs(attached++)},no-such-devarg=1`),
      ).rejects.toThrow(/no-such-devarg/);
      expect([...eal.ports.values()]).toEqual([]);
    });

    it(
      'configures from one queue to its limit, and not beyond',
      withPort((port) => {
        const { maxRxQueues, maxTxQueues } = port.info;
        port.configure({ rxQueues: 1, txQueues: 1 });
        port.configure({ rxQueues: maxRxQueues, txQueues: maxTxQueues });
        expect(() => port.configure({ rxQueues: maxRxQueues + 1, txQueues: 1 })).toThrow(/rx queues/i);
        expect(() => port.configure({ rxQueues: 1, txQueues: maxTxQueues + 1 })).toThrow(/tx queues/i);
      }),
    );

    it(
      'takes 0 descriptors as its default and refuses more than its limit',
      withPort((port) => {
        port.configure({ rxQueues: 1, txQueues: 1 });
        port.setupRxQueue(0, { descriptors: 0, pool });
        port.setupTxQueue(0, { descriptors: 0 });
        const tooMany = port.info.rxDescriptors.max + 1;
        expect(() => port.setupRxQueue(0, { descriptors: tooMany, pool })).toThrow(/descriptors/i);
      }),
    );

    it(
      'starts and stops a hundred times',
      withPort(async (port) => {
        await ready(port);
        for (let i = 0; i < 100; i++) {
          await port.stop();
          await port.start();
        }
        expect(port.state).toBe('started');
      }),
    );

    it(
      'moves nothing before start and after stop',
      withPort(async (port) => {
        const burst = eal.burst(32);
        port.configure({ rxQueues: 1, txQueues: 1 });
        port.setupRxQueue(0, { pool });
        port.setupTxQueue(0);
        expect(port.rxQueue(0).burst(burst)).toBe(0);
        await port.start();
        await port.stop();
        expect(port.rxQueue(0).burst(burst)).toBe(0);
        pool.fill(burst, 4);
        expect(port.txQueue(0).burst(burst)).toBe(0);
        burst.free();
      }),
    );

    it(
      'refuses to close while it runs',
      withPort(async (port) => {
        await ready(port);
        await expect(port.close()).rejects.toThrow(/started|stop/);
        expect(port.state).toBe('started');
      }),
    );

    it(
      'answers what it does not implement with "not supported"',
      withPort((port) => {
        if (port.info.maxMacs > 1) return;
        expect(() => port.addMac(Uint8Array.of(2, 0, 0, 0, 0, 9))).toThrow(/not supported|holds 1 MAC/i);
      }),
    );

    describeTraffic(test, { withPort, ready, bench });
  });
}

/** Open descriptors of this process: a port that goes takes its own along. */
function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
