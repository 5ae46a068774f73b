/** Row 158 for our driver: a port that is stopped or taken away in the middle of an attack. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FrontendRequestName } from '@pollwire/vhost-user';
import { until } from '../bench.js';
import type { DriverCase } from '../case.js';
import { driverCase } from '../case.js';
import type { PortOptions } from '../driver-bench.js';
import { RX } from '../driver-bench.js';

const LIMIT = 1000;

/** How long it took, milliseconds. */
async function timed(action: Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await action;
  return performance.now() - begin;
}

const silentAt = (name: FrontendRequestName): PortOptions => ({
  script: { answer: (request, usual) => (request === name ? undefined : usual) },
});

export const DRIVER_LIFE: readonly DriverCase[] = [
  driverCase(
    158,
    'is silent while the port stops',
    async (bench) => {
      for (const step of ['SET_VRING_ENABLE', 'GET_VRING_BASE'] as const) {
        const { port, backend } = await bench.start();
        backend.script = silentAt(step).script ?? {};
        const took = await timed(port.stop());
        assert.ok(took <= LIMIT, `stop took ${took} ms with a back-end that is silent at ${step}`);
        assert.equal(port.state, 'stopped');
        await bench.release(port, backend);
      }
    },
    'once',
  ),
  driverCase(
    158,
    'is silent while the port starts and is taken away',
    async (bench) => {
      const { port, backend } = await bench.attach(silentAt('SET_MEM_TABLE'));
      const started = port.start().then(
        () => 'started',
        () => 'refused',
      );
      await until('the step', () => backend.seen.includes('SET_MEM_TABLE'));
      const took = await timed(bench.bench.eal.detach(port));
      assert.ok(took <= LIMIT, `detach took ${took} ms`);
      assert.equal(await started, 'refused');
    },
    'once',
  ),
  driverCase(
    158,
    'comes back silent, and the port stops',
    async (bench) => {
      const { port, backend } = await bench.start();
      backend.script = silentAt('SET_MEM_TABLE').script ?? {};
      backend.hangUp();
      const before = backend.seen.length;
      await until('the step', () => backend.seen.lastIndexOf('SET_MEM_TABLE') >= before);
      const took = await timed(port.stop());
      assert.ok(took <= LIMIT, `stop took ${took} ms`);
    },
    'once',
  ),
  driverCase(
    158,
    'refuses the start, then behaves',
    async (bench) => {
      const attacked = await bench.attach({
        script: {
          answer(name, usual, self) {
            if (name !== 'SET_MEM_TABLE') return usual;
            self.hangUp();
            return undefined;
          },
        },
      });
      const { port, backend } = attacked;
      await assert.rejects(port.start());
      backend.script = {};
      await until('another connection', () => backend.connected);
      await sleep(100);
      assert.equal(port.link.up, false, 'a port that is not started has no link');
      assert.ok(!backend.seen.includes('SET_VRING_KICK'), 'and no rings');
      await port.start();
      assert.equal(port.link.up, true);
    },
    'once',
  ),
  driverCase(158, 'breaks a ring before the start is over', async (bench) => {
    const attacked = await bench.start();
    const { port, backend } = attacked;
    backend.script = {
      ...backend.script,
      answer(name, usual, self) {
        if (name === 'SET_VRING_ENABLE' && usual !== undefined) {
          self.ring(RX).give([{ id: 65_535, length: 72 }]);
          assert.equal(bench.receive(port).length, 0);
        }
        return usual;
      },
    };
    const downs = attacked.downs();
    backend.hangUp();
    await until('the loss', () => attacked.downs() > downs);
    await until('the event', () => bench.bench.logged(/ring 0 stopped/).length > 0);
    await until('the end of the start', () => port.privateInfo().running === '1');
    assert.equal(port.link.up, false, 'a link with a broken ring is not up');
    const { features } = backend.script;
    backend.script = features === undefined ? {} : { features };
    await bench.expectUsable(attacked);
  }),
  driverCase(158, 'has broken a ring of a port that stops', async (bench) => {
    const { port, backend } = await bench.start();
    backend.ring(RX).give([{ id: 65_535, length: 72 }]);
    bench.receive(port);
    const took = await timed(port.stop());
    assert.ok(took <= LIMIT, `stop took ${took} ms`);
    await port.start();
    assert.equal(port.link.up, true);
    // What was reported about the ring of before does not count against this one.
    await sleep(20);
    assert.equal(port.link.up, true);
    bench.deliver(backend, backend.ring(RX), [], [new Uint8Array(60)]);
    assert.equal(bench.receive(port).length, 1);
  }),
  driverCase(
    158,
    'hangs up while the port starts, stops, and is taken away',
    async (bench) => {
      for (const step of ['SET_FEATURES', 'SET_VRING_KICK', 'SET_VRING_ENABLE'] as const) {
        const { port, backend } = await bench.attach({
          script: {
            answer(name, usual, self) {
              if (name !== step) return usual;
              self.hangUp();
              return undefined;
            },
          },
        });
        await assert.rejects(port.start());
        assert.ok((await timed(bench.release(port, backend))) <= LIMIT);
      }
      const { port, backend } = await bench.start();
      backend.hangUp();
      assert.ok((await timed(port.stop())) <= LIMIT);
    },
    'once',
  ),
];
