/** Live migration as the library's program sees it: logging that begins and ends under traffic, a guest that announces itself. Rows A15, A69 and A76 of docs/vhost.md. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Mempool } from '@pollwire/ethdev';
import { Eal } from '@pollwire/ethdev';
import { native } from '@pollwire/native';
import { FakeFrontend, makeFrame } from '@pollwire/testkit';
import { Feature, ProtocolFeature } from '@pollwire/vhost-user';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VhostDevice } from './index.js';
import { VhostSocket } from './index.js';
import { rarpFrame } from './migration.js';

const MAC = Uint8Array.of(0x52, 0x54, 0, 0x77, 0, 2);
const FEATURES =
  Feature.VIRTIO_F_VERSION_1 | Feature.VIRTIO_NET_F_MRG_RXBUF | Feature.VHOST_USER_F_PROTOCOL_FEATURES;
const PROTOCOL =
  ProtocolFeature.MQ |
  ProtocolFeature.REPLY_ACK |
  ProtocolFeature.STATUS |
  ProtocolFeature.LOG_SHMFD |
  ProtocolFeature.RARP;

const dir = mkdtempSync(join(tmpdir(), 'pw-migration-'));
let eal: Eal;
let pool: Mempool;
let sockets = 0;

beforeAll(async () => {
  eal = await Eal.init({ memory: 64, huge: 'never' }, () => undefined);
  pool = eal.createPool({ name: 'migration', size: 512, cache: 32 });
});
afterAll(async () => {
  await eal.close();
  rmSync(dir, { recursive: true });
});

async function connected(options: { postcopy?: boolean } = {}) {
  const path = join(dir, `sock${sockets++}`);
  const socket = new VhostSocket(path, options).start();
  const changes: bigint[] = [];
  const problems: string[] = [];
  socket.on('features_changed', (_device, features) => changes.push(features));
  socket.on('problem', (text) => problems.push(text));
  const ready = new Promise<VhostDevice>((resolve) => socket.on('new_device', resolve));
  const guest = await FakeFrontend.connect(path, {
    features: FEATURES,
    protocolFeatures: PROTOCOL,
    ringSize: 32,
  });
  return { socket, guest, device: await ready, changes, problems };
}

describe('the announcement', () => {
  it('is a RARP request of 60 bytes with the address of the guest twice', () => {
    const hex = Buffer.from(rarpFrame(MAC)).toString('hex');
    expect(hex).toBe(
      `${'ff'.repeat(6)}525400770002803500010800060400035254007700020000000052540077000200000000${'00'.repeat(18)}`,
    );
  });

  it('comes out of the first rx queue once, and no more than 64 of them wait', async () => {
    const { socket, guest, device, problems } = await connected();
    const receiver = device.receiver(0, pool);
    await guest.client.sendRarp(MAC);
    const burst = eal.burst(80);
    await expect.poll(() => receiver.burst(burst)).toBe(1);
    const bytes = new Uint8Array(60);
    expect(eal.mbufs.read(burst.at(0), 0, bytes)).toBe(60);
    expect(bytes).toEqual(rarpFrame(MAC));
    burst.free();
    expect(receiver.burst(burst)).toBe(0);
    for (let i = 0; i < 64; i++) await guest.client.sendRarp(MAC);
    await expect(guest.client.sendRarp(MAC)).rejects.toThrow();
    expect(problems.at(-1)).toMatch(/64 injected frames wait already/);
    expect(receiver.burst(burst)).toBe(64);
    burst.free();
    await guest.close();
    await socket.close();
  });
});

describe('the dirty log', () => {
  it('gets the pages of the guest while VHOST_F_LOG_ALL is set, and none before or after', async () => {
    const { socket, guest, device, changes } = await connected();
    const transmitter = device.transmitter(0);
    const { client, negotiated, memory } = guest;
    const { guestAddr, size } = memory.region;
    const bytes = Math.ceil(Number((guestAddr + size) >> 12n) / 64) * 8;
    const fd = native.memfdCreate('log', bytes);
    const log = new Uint8Array(native.mapFile(fd, bytes));
    const send = () => {
      const burst = eal.burst(1);
      expect(pool.fill(burst, 1)).toBe(1);
      native.mbufAppend(burst.at(0), makeFrame(1, 1000));
      expect(transmitter.burst(burst)).toBe(1);
      return log.some((byte) => byte !== 0);
    };
    await client.setLogBase({ size: BigInt(bytes), offset: 0n }, fd);
    expect(send()).toBe(false);
    await client.setFeatures(negotiated.features | Feature.VHOST_F_LOG_ALL);
    expect(changes.at(-1)).toBe(negotiated.features | Feature.VHOST_F_LOG_ALL);
    expect(send()).toBe(true);
    await client.setFeatures(negotiated.features);
    expect(changes.at(-1)).toBe(negotiated.features);
    log.fill(0);
    expect(send()).toBe(false);
    expect(guest.receive()).toHaveLength(3);
    native.closeFd(fd);
    await guest.close();
    await socket.close();
  });
});

describe('postcopy', () => {
  it('is offered only where it is asked for', async () => {
    for (const postcopy of [false, true]) {
      const { socket, guest, device } = await connected({ postcopy });
      const offered = device.session?.offeredProtocolFeatures ?? 0n;
      expect((offered & ProtocolFeature.PAGEFAULT) !== 0n).toBe(postcopy);
      await guest.close();
      await socket.close();
    }
  });
});
