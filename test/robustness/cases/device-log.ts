/** Rows 128 to 132 and 141: a front-end that lies about its dirty log, or about postcopy. */
import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { native } from '@pollwire/native';
import { Feature, ProtocolFeature } from '@pollwire/vhost-user';
import { until } from '../bench.js';
import type { DeviceCase } from '../case.js';
import { deviceCase } from '../case.js';
import type { FrontBench } from '../front-bench.js';
import type { HostileGuest } from '../peers/hostile-guest.js';
import type { RawFrontend } from '../peers/raw-frontend.js';

const BOTH = ['split', 'packed'] as const;
const LOG_BYTES = 1 << 20;
const PROTOCOL = ProtocolFeature.REPLY_ACK | ProtocolFeature.LOG_SHMFD;
const USUAL = Feature.VIRTIO_NET_F_MRG_RXBUF | Feature.VIRTIO_F_INDIRECT_DESC;
const USED_LOGGED = 1;

const logging = (bench: FrontBench) => bench.guest({ features: USUAL, protocol: PROTOCOL });

/** Sends SET_LOG_BASE; the descriptor is closed here. */
async function setLog(
  peer: RawFrontend,
  size: bigint,
  offset = 0n,
  fd = native.memfdCreate('log', LOG_BYTES),
) {
  const answer = await peer.ask('SET_LOG_BASE', { size, offset }, [fd]);
  native.closeFd(fd);
  return answer;
}

/** Switches VHOST_F_LOG_ALL under running rings. */
async function logAll(guest: HostileGuest, on: boolean): Promise<void> {
  const word = guest.features | Feature.VHOST_USER_F_PROTOCOL_FEATURES;
  assert.equal(await guest.peer.ask('SET_FEATURES', on ? word | Feature.VHOST_F_LOG_ALL : word), 0n);
}

/** One frame each way; what the guest gets goes to page `page` of its data. */
async function exchange(bench: FrontBench, guest: HostileGuest, page = 0): Promise<void> {
  const { port } = await bench.target();
  guest.frame();
  guest.rings[1].offer([{ addr: guest.data(), length: 72 }]);
  assert.equal(bench.receive(port), 1);
  guest.rings[0].offer([{ addr: guest.data(page), length: 2000, flags: 2 }]);
  assert.equal(bench.transmit(port, 1), 1);
}

export const DEVICE_LOG: readonly DeviceCase[] = [
  deviceCase(128, 'sizes and offsets that cannot be', async (bench) => {
    const top = (1n << 64n) - 8n;
    const areas: readonly [size: bigint, offset: bigint][] = [
      [0n, 0n],
      [top, 0n],
      [top, 16n],
      [4096n, top],
      [4096n, 4n],
      [BigInt(LOG_BYTES) + 1n, 0n],
      [BigInt(LOG_BYTES), 8n],
      [1n << 50n, 0n],
    ];
    for (const [size, offset] of areas) {
      const peer = await bench.connect();
      await peer.negotiate(Feature.VIRTIO_F_VERSION_1, PROTOCOL);
      assert.notEqual(await setLog(peer, size, offset), 0n, `${size} at ${offset}`);
      peer.close();
      await bench.expectServes();
    }
  }),
  deviceCase(128, 'descriptors that are no memory', async (bench) => {
    for (const make of [() => native.eventfdCreate(), () => openSync('/dev/null', 'r+')]) {
      const peer = await bench.connect();
      await peer.negotiate(Feature.VIRTIO_F_VERSION_1, PROTOCOL);
      assert.notEqual(await setLog(peer, 4096n, 0n, make()), 0n);
      peer.close();
      await bench.expectServes();
    }
  }),
  deviceCase(
    129,
    'a log of 64 pages for a larger guest',
    async (bench) => {
      const guest = await logging(bench);
      assert.equal(await setLog(guest.peer, 8n), 1n);
      await logAll(guest, true);
      await exchange(bench, guest);
    },
    BOTH,
  ),
  deviceCase(
    130,
    'addresses beyond the log',
    async (bench) => {
      const guest = await logging(bench);
      const { port } = await bench.target();
      assert.equal(await setLog(guest.peer, BigInt(LOG_BYTES)), 0n);
      await logAll(guest, true);
      for (const log of [1n << 50n, (1n << 64n) - 1n, (1n << 64n) - 4096n]) {
        const addr = { ...guest.addresses(1), flags: USED_LOGGED, log };
        assert.equal(await guest.peer.ask('SET_VRING_ADDR', addr), 0n);
        await exchange(bench, guest);
      }
      const missed = bench.counter(port, 'rx', 'LOG_MISSED');
      // On a packed ring the descriptors are memory; only the event structure has this address.
      assert.ok(bench.format === 'packed' || missed > 0, `${missed} pages missed`);
    },
    BOTH,
  ),
  deviceCase(
    130,
    'logging without a log',
    async (bench) => {
      const guest = await logging(bench);
      await logAll(guest, true);
      await exchange(bench, guest);
    },
    BOTH,
  ),
  deviceCase(
    131,
    'replaces the log and toggles logging fifty times',
    async (bench) => {
      const guest = await logging(bench);
      for (let i = 0; i < 50; i++) {
        assert.equal(await setLog(guest.peer, BigInt(LOG_BYTES) >> BigInt(i % 2)), 0n);
        await logAll(guest, i % 3 !== 0);
        await exchange(bench, guest, i % 5);
      }
    },
    BOTH,
  ),
  deviceCase(
    132,
    'a file that cannot be sealed',
    async (bench) => {
      const guest = await logging(bench);
      const { port } = await bench.target();
      const path = join(bench.bench.dir, 'log');
      writeFileSync(path, new Uint8Array(LOG_BYTES));
      const fd = openSync(path, 'r+');
      assert.equal(await guest.peer.ask('SET_LOG_BASE', { size: BigInt(LOG_BYTES), offset: 0n }, [fd]), 0n);
      await logAll(guest, true);
      await exchange(bench, guest);
      ftruncateSync(fd, 0);
      for (let i = 0; i < 3; i++) bench.transmit(port, 1);
      guest.rings[0].offer([{ addr: guest.data(), length: 2000, flags: 2 }]);
      for (let i = 0; i < 3; i++) bench.transmit(port, 1);
      await until('the link to go down', () => !port.link.up);
      assert.equal(bench.counter(port, 'tx', 'BROKEN'), 1);
      closeSync(fd);
    },
    BOTH,
  ),
  deviceCase(141, 'LISTEN first, LISTEN after the memory, memory that is never confirmed', async (bench) => {
    const more = ',postcopy-support=1';
    const protocol = ProtocolFeature.REPLY_ACK | ProtocolFeature.PAGEFAULT;
    const { port } = await bench.target({ more });
    const first = await bench.connect();
    await first.negotiate(Feature.VIRTIO_F_VERSION_1, protocol);
    assert.notEqual(await first.ask('POSTCOPY_LISTEN', undefined), 0n);
    first.close();
    await bench.expectServes();

    const late = await bench.guest({ protocol });
    late.peer.send('POSTCOPY_ADVISE', undefined);
    assert.ok(await late.peer.answer());
    assert.equal(await late.peer.ask('POSTCOPY_LISTEN', undefined), 1n);
    guestStillWorks(bench, late, port);
    late.close();
    await bench.expectServes();

    const silent = await bench.connect();
    await silent.negotiate(Feature.VIRTIO_F_VERSION_1, protocol);
    silent.send('POSTCOPY_ADVISE', undefined);
    assert.ok(await silent.answer());
    assert.equal(await silent.ask('POSTCOPY_LISTEN', undefined), 0n);
    const fd = native.memfdCreate('guest', LOG_BYTES);
    const region = { guestAddr: 0n, size: BigInt(LOG_BYTES), userAddr: 0x7000_0000n, mmapOffset: 0n };
    silent.send('SET_MEM_TABLE', [region], { fds: [fd] });
    native.closeFd(fd);
    assert.ok(await silent.answer(), 'our addresses');
    assert.equal(port.link.up, false);
  }),
];

function guestStillWorks(
  bench: FrontBench,
  guest: HostileGuest,
  port: Parameters<FrontBench['receive']>[0],
): void {
  guest.frame();
  guest.rings[1].offer([{ addr: guest.data(), length: 72 }]);
  assert.equal(bench.receive(port), 1);
}
