/** Rows 61 to 76: how rings are described, started and stopped. */
import assert from 'node:assert/strict';
import { openSync } from 'node:fs';
import { native, sys } from '@pollwire/native';
import { Feature, ProtocolFeature } from '@pollwire/vhost-user';
import { until } from '../bench.js';
import type { DeviceCase } from '../case.js';
import { deviceCase } from '../case.js';
import type { FrontBench } from '../front-bench.js';
import type { HostileGuest } from '../peers/hostile-guest.js';
import type { RawFrontend } from '../peers/raw-frontend.js';

const BOTH = ['split', 'packed'] as const;

async function negotiated(bench: FrontBench): Promise<RawFrontend> {
  const peer = await bench.connect();
  const packed = bench.format === 'packed' ? Feature.VIRTIO_F_RING_PACKED : 0n;
  await peer.negotiate(Feature.VIRTIO_F_VERSION_1 | packed, ProtocolFeature.REPLY_ACK | ProtocolFeature.MQ);
  return peer;
}

/** One packet from the guest arrives. */
async function passes(bench: FrontBench, guest: HostileGuest): Promise<void> {
  const { port } = await bench.target();
  await until('the link', () => port.link.up);
  guest.frame();
  guest.rings[1].offer([{ addr: guest.data(), length: 72 }]);
  assert.equal(bench.receive(port), 1);
}

const INDEX_BEARING = ['SET_VRING_NUM', 'SET_VRING_BASE', 'GET_VRING_BASE', 'SET_VRING_ENABLE'] as const;

export const DEVICE_VRING: readonly DeviceCase[] = [
  deviceCase(61, 'indices of rings that do not exist', async (bench) => {
    for (const name of INDEX_BEARING) {
      for (const index of [2, 255, 256, 65_535, 65_536, 0xffff_ffff]) {
        const peer = await negotiated(bench);
        bench.bench.lines.length = 0;
        peer.send(name, { index, num: 1 });
        await bench.expectClosed(peer, new RegExp(`vring ${index} does not exist`), name);
      }
    }
    for (const name of ['SET_VRING_KICK', 'SET_VRING_CALL', 'SET_VRING_ERR'] as const) {
      const peer = await negotiated(bench);
      bench.bench.lines.length = 0;
      peer.send(name, { index: 255, noFd: true });
      await bench.expectClosed(peer, /vring 255 does not exist/, name);
    }
  }),
  deviceCase(
    62,
    'sizes that no ring has',
    async (bench) => {
      const bad = [0, 32_769, 65_536, 0xffff_ffff, ...(bench.format === 'split' ? [3, 255, 257] : [])];
      for (const num of bad) {
        const peer = await negotiated(bench);
        bench.bench.lines.length = 0;
        peer.send('SET_VRING_NUM', { index: 0, num });
        await bench.expectClosed(peer, new RegExp(`with ${num} entries`), String(num));
      }
      const peer = await negotiated(bench);
      for (const num of [1, 32_768, ...(bench.format === 'packed' ? [3, 255] : [])]) {
        assert.equal(await peer.ask('SET_VRING_NUM', { index: 0, num }), 0n, String(num));
      }
    },
    BOTH,
  ),
  deviceCase(
    63,
    'a running ring is moved',
    async (bench) => {
      const guest = await bench.guest();
      const { peer } = guest;
      assert.equal(await peer.ask('SET_VRING_NUM', { index: 1, num: 32 }), 1n);
      assert.equal(await peer.ask('SET_VRING_BASE', { index: 1, num: 5 }), 1n);
      const addr = { index: 1, flags: 0, desc: 0n, avail: 0n, used: 0n, log: 0n };
      assert.equal(await peer.ask('SET_VRING_ADDR', addr), 1n);
      await passes(bench, guest);
    },
    BOTH,
  ),
  deviceCase(
    64,
    'addresses that no ring can have',
    async (bench) => {
      const guest = await bench.guest();
      const { peer, memory } = guest;
      const { port } = await bench.target();
      const ring = guest.rings[1];
      const good = {
        index: 1,
        flags: 0,
        desc: memory.userAddr(ring.desc),
        avail: memory.userAddr(ring.avail),
        used: memory.userAddr(ring.used),
        log: 0n,
      };
      const end = memory.userAddr(memory.bytes);
      const bad = [
        { ...good, desc: 0n },
        { ...good, avail: 0n },
        { ...good, used: 0n },
        { ...good, desc: good.desc + 8n },
        { ...good, avail: good.avail + 1n },
        { ...good, used: good.used + 2n },
        { ...good, desc: end - 64n * 16n + 16n },
        // Behind a packed ring's 4 bytes, or inside a split ring's used ring.
        { ...good, used: bench.format === 'packed' ? end : end - 4n },
        { ...good, desc: (1n << 64n) - 16n },
      ];
      for (const addr of bad) {
        await peer.ask('GET_VRING_BASE', { index: 1, num: 0 });
        const answer = await peer.ask('SET_VRING_ADDR', addr);
        const fd = native.eventfdCreate();
        await peer.ask('SET_VRING_KICK', { index: 1, noFd: false }, [fd]);
        native.closeFd(fd);
        // Alignment of the avail half means nothing for an event structure that is read as a whole: it may be taken.
        assert.ok(answer === 0n || answer === 1n);
        assert.equal(port.link.up, false, `started with ${addr.desc} ${addr.avail} ${addr.used}`);
        assert.match(port.privateInfo().not_ready_because ?? '', /ring 1: /);
      }
      await peer.ask('GET_VRING_BASE', { index: 1, num: 0 });
      await guest.startRing(1);
      await until('the link', () => port.link.up);
    },
    BOTH,
  ),
  deviceCase(66, 'a base far from the used index', async (bench) => {
    const peer = await negotiated(bench);
    assert.equal(await peer.ask('SET_VRING_NUM', { index: 0, num: 64 }), 0n);
    for (const num of [65_535, 30_000]) assert.equal(await peer.ask('SET_VRING_BASE', { index: 0, num }), 0n);
    const answer = await peer.ask('SET_VRING_BASE', { index: 0, num: 0x1_0000 });
    assert.ok(answer === 0n || answer === 1n);
  }),
  deviceCase(67, 'a kick before there is a ring', async (bench) => {
    const peer = await negotiated(bench);
    const fd = native.eventfdCreate();
    assert.equal(await peer.ask('SET_VRING_KICK', { index: 0, noFd: false }, [fd]), 0n);
    native.closeFd(fd);
    const { port } = await bench.target();
    assert.match(port.privateInfo().not_ready_because ?? '', /ring 0: no size/);
  }),
  deviceCase(68, 'kick descriptors that are no eventfd', async (bench) => {
    const [mine, other] = sys.socketPair();
    const fds = [openSync('/dev/null', 'r+'), native.memfdCreate('kick', 4096), mine, other];
    for (const fd of fds) {
      const peer = await negotiated(bench);
      assert.notEqual(await peer.ask('SET_VRING_KICK', { index: 0, noFd: false }, [fd]), 0n);
      peer.close();
      await bench.expectServes();
    }
    sys.closeAll(fds);
  }),
  deviceCase(
    69,
    'a call descriptor that is full',
    async (bench) => {
      const guest = await bench.guest();
      guest.fillCalls();
      for (let i = 0; i < 100; i++) await passes(bench, guest);
    },
    BOTH,
  ),
  deviceCase(
    70,
    'kick and call are replaced while packets flow',
    async (bench) => {
      const guest = await bench.guest();
      for (let i = 0; i < 300; i++) {
        const fd = native.eventfdCreate();
        assert.equal(await guest.peer.ask('SET_VRING_CALL', { index: 1, noFd: false }, [fd]), 0n);
        assert.equal(await guest.peer.ask('SET_VRING_KICK', { index: 1, noFd: false }, [fd]), 0n);
        native.closeFd(fd);
        await passes(bench, guest);
      }
    },
    BOTH,
  ),
  deviceCase(71, 'a descriptor with the flag that says none, and the reverse', async (bench) => {
    const fd = native.eventfdCreate();
    for (const fds of [[], [fd, fd]]) {
      const peer = await negotiated(bench);
      bench.bench.lines.length = 0;
      peer.send('SET_VRING_KICK', { index: 0, noFd: false }, { fds });
      await bench.expectClosed(peer, /number of file descriptors/);
    }
    const peer = await negotiated(bench);
    bench.bench.lines.length = 0;
    peer.send('SET_VRING_KICK', { index: 0, noFd: true }, { fds: [fd] });
    await bench.expectClosed(peer, /number of file descriptors/);
    native.closeFd(fd);
  }),
  deviceCase(72, 'enable with another value, and of a ring that was never set up', async (bench) => {
    const peer = await negotiated(bench);
    assert.equal(await peer.ask('SET_VRING_ENABLE', { index: 0, num: 2 }), 1n);
    assert.equal(await peer.ask('SET_VRING_ENABLE', { index: 0, num: 1 }), 0n);
    const { port } = await bench.target();
    assert.equal(port.link.up, false);
  }),
  deviceCase(
    73,
    'rings are stopped again and again, in any order',
    async (bench) => {
      const guest = await bench.guest();
      const { port } = await bench.target();
      for (const index of [1, 0, 0, 1, 1] as const) {
        const begin = performance.now();
        guest.peer.send('GET_VRING_BASE', { index, num: 0 });
        const answer = await guest.peer.answer();
        assert.equal(answer?.payload[0], index);
        assert.ok(performance.now() - begin < 100);
      }
      assert.equal(port.link.up, false);
      guest.rings[1].offer([{ addr: guest.data(), length: 72 }]);
      const before = guest.memory.u8.slice();
      assert.equal(bench.receive(port), 0);
      assert.deepEqual(guest.memory.u8, before, 'nothing is touched after the answer');
    },
    BOTH,
  ),
  deviceCase(
    74,
    'enable and disable flap while packets flow',
    async (bench) => {
      const guest = await bench.guest();
      for (let i = 0; i < 100; i++) {
        assert.equal(await guest.peer.ask('SET_VRING_ENABLE', { index: 1, num: 0 }), 0n);
        assert.equal(await guest.peer.ask('SET_VRING_ENABLE', { index: 1, num: 1 }), 0n);
        await passes(bench, guest);
      }
    },
    BOTH,
  ),
  deviceCase(76, 'more queue pairs than there are, and fewer', async (bench) => {
    const { port } = await bench.target({ queues: 2 });
    const peer = await negotiated(bench);
    bench.bench.lines.length = 0;
    peer.send('SET_VRING_NUM', { index: 4, num: 64 });
    await bench.expectClosed(peer, /vring 4 does not exist; there are 4/);
    const guest = await bench.guest();
    await until('the link', () => port.link.up);
    guest.frame();
    guest.rings[1].offer([{ addr: guest.data(), length: 72 }]);
    assert.equal(bench.receive(port), 1, 'the first pair alone works');
  }),
];
