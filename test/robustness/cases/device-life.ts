/** Rows 75 and 158 for our device: a guest that starts over, and a port that is stopped or taken away in the middle of an attack. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { native } from '@pollwire/native';
import { encodeRequest, FRONTEND_REQUESTS } from '@pollwire/vhost-user';
import { until } from '../bench.js';
import type { DeviceCase } from '../case.js';
import { deviceCase } from '../case.js';
import type { FrontBench } from '../front-bench.js';
import type { HostileGuest } from '../peers/hostile-guest.js';

const BOTH = ['split', 'packed'] as const;
const LIMIT = 1000;

/** The guest's tx ring says what cannot be, and a burst finds out. */
async function breakRing(bench: FrontBench, guest: HostileGuest): Promise<void> {
  const { port } = await bench.target();
  const ring = guest.rings[1];
  if (ring.packed) {
    const list = { addr: guest.data(), length: 2, flags: 1 };
    ring.offer(Array.from({ length: ring.size }, () => list));
  } else {
    ring.publish(ring.index + 30_000);
  }
  assert.equal(bench.receive(port), 0);
  assert.equal(bench.counter(port, 'rx', 'BROKEN'), 1);
}

async function timed(action: Promise<unknown>): Promise<void> {
  const begin = performance.now();
  await action;
  const took = performance.now() - begin;
  assert.ok(took <= LIMIT, `it took ${took} ms`);
}

export const DEVICE_LIFE: readonly DeviceCase[] = [
  deviceCase(
    75,
    'reboots: other addresses and base 0 without hanging up',
    async (bench) => {
      const guest = await bench.guest();
      const { port } = await bench.target();
      for (const index of [0, 1]) {
        guest.peer.send('GET_VRING_BASE', { index, num: 0 });
        await guest.peer.answer();
      }
      const old = guest.rings[1];
      guest.renewRings();
      await guest.startRing(0);
      await guest.startRing(1);
      await until('the link', () => port.link.up);
      const before = guest.memory.u8.slice(old.desc, old.desc + 1024);
      guest.frame();
      guest.rings[1].offer([{ addr: guest.data(), length: 72 }]);
      assert.equal(bench.receive(port), 1);
      assert.deepEqual(
        guest.memory.u8.slice(old.desc, old.desc + 1024),
        before,
        'the old ring is not touched',
      );
    },
    BOTH,
  ),
  deviceCase(
    158,
    'breaks a ring and sets it up anew at once',
    async (bench) => {
      const guest = await bench.guest();
      const { port } = await bench.target();
      await breakRing(bench, guest);
      guest.resetRing(1);
      // All of it in one write, so that it is handled before the news of the break.
      guest.sendSetup(1);
      await until('the answers', () => guest.peer.answered >= 7);
      await sleep(20);
      assert.equal(port.privateInfo().not_ready_because, '', 'what was said of the old ring does not count');
      assert.equal(port.link.up, true);
      guest.frame();
      guest.rings[1].offer([{ addr: guest.data(), length: 72 }]);
      assert.equal(bench.receive(port), 1);
    },
    BOTH,
  ),
  deviceCase(
    158,
    'breaks a ring while the port stops, and is taken away',
    async (bench) => {
      const guest = await bench.guest();
      const { port } = await bench.target();
      await breakRing(bench, guest);
      await timed(port.stop());
      await timed(bench.bench.eal.detach(port));
      await until('the end', () => guest.peer.gone);
    },
    BOTH,
  ),
  deviceCase(158, 'floods a port that is taken away', async (bench) => {
    const { port } = await bench.target();
    const peer = await bench.connect();
    const ask = encodeRequest(FRONTEND_REQUESTS.GET_FEATURES, undefined);
    for (let i = 0; i < 2000 && peer.bytes(ask); i++);
    const fd = native.eventfdCreate();
    peer.bytes(ask.subarray(0, 5), [fd]);
    native.closeFd(fd);
    await timed(port.stop());
    await timed(bench.bench.eal.detach(port));
    await until('the end', () => peer.gone);
  }),
];
