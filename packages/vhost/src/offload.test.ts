/** Checksums that a guest leaves open, on their way through two net_vhost ports to a guest that completes them and to one that cannot. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Mempool, Port } from '@pollwire/ethdev';
import { Eal, VLAN_STRIP } from '@pollwire/ethdev';
import { L, native } from '@pollwire/native';
import { FakeFrontend, makeFrame } from '@pollwire/testkit';
import { Feature, featureNames } from '@pollwire/vhost-user';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import netVhost, { offeredFeatures } from './index.js';

const HEADER = 12;
const ETHER = 14;
const UDP = ETHER + 20;
const CHECKSUM = UDP + 6;
const NEEDS_CSUM = 1;

const PLAIN =
  Feature.VIRTIO_F_VERSION_1 | Feature.VIRTIO_NET_F_MRG_RXBUF | Feature.VHOST_USER_F_PROTOCOL_FEATURES;
const WITH_CHECKSUMS = PLAIN | Feature.VIRTIO_NET_F_CSUM | Feature.VIRTIO_NET_F_GUEST_CSUM;

const dir = mkdtempSync(join(tmpdir(), 'pw-offload-'));
let eal: Eal;
let pool: Mempool;
let attached = 0;

beforeAll(async () => {
  eal = await Eal.init({ memory: 64, huge: 'never', drivers: [netVhost] }, () => undefined);
  pool = eal.createPool({ name: 'offload', size: 1024, cache: 64 });
});
afterAll(async () => {
  await eal.close();
  rmSync(dir, { recursive: true });
});

function sumWords(bytes: Uint8Array, start = 0): number {
  let sum = start;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] as number) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

/** Sum of the pseudo header of the IPv4 packet in `frame` (RFC 768). */
function pseudoHeader(frame: Uint8Array): number {
  return sumWords(frame.subarray(ETHER + 12, ETHER + 20), 17 + frame.length - UDP);
}

/** An IPv4 UDP frame whose checksum field holds what a driver with CSUM leaves there. */
function openFrame(payload: number): Uint8Array {
  const frame = new Uint8Array(UDP + 8 + payload);
  const view = new DataView(frame.buffer);
  frame.set([0x52, 0x54, 0, 0, 0, 1, 0x52, 0x54, 0, 0, 0, 2, 0x08, 0x00]);
  frame.set([0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], ETHER);
  view.setUint16(ETHER + 2, frame.length - ETHER);
  view.setUint16(ETHER + 10, ~sumWords(frame.subarray(ETHER, UDP)) & 0xffff);
  view.setUint16(UDP, 1234);
  view.setUint16(UDP + 2, 4321);
  view.setUint16(UDP + 4, 8 + payload);
  for (let i = 0; i < payload; i++) frame[UDP + 8 + i] = (i * 7 + 3) & 0xff;
  view.setUint16(CHECKSUM, pseudoHeader(frame));
  return frame;
}

/** Sends a frame with the header that says that its UDP checksum is open. */
function sendOpen(guest: FakeFrontend, frame: Uint8Array): void {
  const { memory, rings } = guest;
  const offset = memory.alloc(HEADER + frame.length);
  memory.u8.fill(0, offset, offset + HEADER);
  memory.view.setUint8(offset, NEEDS_CSUM);
  memory.view.setUint16(offset + 6, UDP, true);
  memory.view.setUint16(offset + 8, CHECKSUM - UDP, true);
  memory.u8.set(frame, offset + HEADER);
  rings[1]?.post([{ offset, length: HEADER + frame.length }]);
  rings[1]?.publish();
}

interface Received {
  flags: number;
  checksumAt: number;
  frame: Uint8Array;
}

/** What arrived in the guest's first receive buffer. */
function receiveOne(guest: FakeFrontend): Received | undefined {
  const [chain] = guest.rings[0]?.collect() ?? [];
  if (chain === undefined) return undefined;
  const { offset } = chain.buffers[0] as { offset: number };
  const { view, u8 } = guest.memory;
  return {
    flags: view.getUint8(offset),
    checksumAt: view.getUint16(offset + 6, true) + view.getUint16(offset + 8, true),
    frame: u8.slice(offset + HEADER, offset + chain.length),
  };
}

async function open(features: bigint, devargs = ''): Promise<{ port: Port; guest: FakeFrontend }> {
  const path = join(dir, `sock${attached}`);
  const port = await eal.attach(`net_vhost${attached++},iface=${path}${devargs}`);
  await port.start(pool);
  const guest = await FakeFrontend.connect(path, { features, ringSize: 32 });
  await expect.poll(() => port.link.up).toBe(true);
  return { port, guest };
}

async function forwardOne(from: Port, to: Port): Promise<number> {
  const burst = eal.burst(8);
  await expect.poll(() => from.rxQueue(0).burst(burst)).toBe(1);
  const flags = eal.mbufs.olFlags(burst.at(0));
  expect(to.txQueue(0).burst(burst)).toBe(1);
  return flags;
}

async function close(...ends: { port: Port; guest: FakeFrontend }[]): Promise<void> {
  for (const { port, guest } of ends) {
    await guest.close();
    await port.stop();
    await eal.detach(port);
  }
}

describe('a frame with an open checksum', () => {
  it('stays open for a guest that completes it', async () => {
    const from = await open(WITH_CHECKSUMS);
    const to = await open(WITH_CHECKSUMS);
    const frame = openFrame(301);
    sendOpen(from.guest, frame);
    const flags = await forwardOne(from.port, to.port);
    expect(flags & L.OL_RX_L4_CKSUM_NONE).toBe(L.OL_RX_L4_CKSUM_NONE);
    expect(receiveOne(to.guest)).toEqual({ flags: NEEDS_CSUM, checksumAt: CHECKSUM, frame });
    await close(from, to);
  });

  it('is completed for a guest that cannot', async () => {
    const from = await open(WITH_CHECKSUMS);
    const to = await open(PLAIN);
    const frame = openFrame(301);
    sendOpen(from.guest, frame);
    await forwardOne(from.port, to.port);
    const received = receiveOne(to.guest);
    expect(received).toMatchObject({ flags: 0, checksumAt: 0 });
    const arrived = received?.frame as Uint8Array;
    expect(sumWords(arrived.subarray(UDP), pseudoHeader(arrived))).toBe(0xffff);
    arrived.set(frame.subarray(CHECKSUM, CHECKSUM + 2), CHECKSUM);
    expect(arrived).toEqual(frame);
    await close(from, to);
  });
});

describe('segmentation', () => {
  const offered = async (devargs: string) => {
    const all = WITH_CHECKSUMS | offeredFeatures({ tso: true });
    const end = await open(all & ~Feature.VIRTIO_F_RING_PACKED, devargs);
    const names = featureNames(end.guest.negotiated.features).filter((name) =>
      /HOST_(TSO|ECN)|GUEST_(TSO|ECN)/.test(name),
    );
    await close(end);
    return names;
  };
  const towardsGuest = ['VIRTIO_NET_F_GUEST_TSO4', 'VIRTIO_NET_F_GUEST_TSO6', 'VIRTIO_NET_F_GUEST_ECN'];
  const fromGuest = ['VIRTIO_NET_F_HOST_TSO4', 'VIRTIO_NET_F_HOST_TSO6', 'VIRTIO_NET_F_HOST_ECN'];

  it('is offered towards the guest, and from it with tso=1 unless every packet must be one mbuf', async () => {
    expect(await offered('')).toEqual(towardsGuest);
    expect(await offered(',tso=1')).toEqual([...towardsGuest, ...fromGuest]);
    expect(await offered(',tso=1,linear-buffer=1')).toEqual(towardsGuest);
  });
});

describe('VLAN tags', () => {
  const TAG = [0x81, 0x00, 0x60, 0x2a];
  const TCI = 0x602a;
  const tagged = (frame: Uint8Array) =>
    Uint8Array.of(...frame.subarray(0, 12), ...TAG, ...frame.subarray(12));

  /** One frame from the guest, as the application sees it. */
  async function receive(port: Port, guest: FakeFrontend, sent: Uint8Array) {
    const burst = eal.burst(8);
    guest.send([sent]);
    await expect.poll(() => port.rxQueue(0).burst(burst)).toBe(1);
    const h = burst.at(0);
    const frame = new Uint8Array(eal.mbufs.pktLen(h));
    native.mbufRead(h, 0, frame);
    const seen = { frame, flags: eal.mbufs.olFlags(h), tci: eal.mbufs.vlanTci(h) };
    burst.free();
    return seen;
  }

  it('are taken out on receive where that was asked for, switched while packets flow', async () => {
    const end = await open(PLAIN);
    const { port, guest } = end;
    const plain = makeFrame(1, 200);
    const stripped = { frame: plain, flags: L.OL_RX_VLAN | L.OL_RX_VLAN_STRIPPED, tci: TCI };
    for (let round = 0; round < 3; round++) {
      expect(await receive(port, guest, tagged(plain))).toEqual({ frame: tagged(plain), flags: 0, tci: 0 });
      port.setVlanOffload(VLAN_STRIP);
      expect(port.vlanOffload).toBe(VLAN_STRIP);
      expect(await receive(port, guest, tagged(plain))).toEqual(stripped);
      expect(await receive(port, guest, plain)).toEqual({ frame: plain, flags: 0, tci: 0 });
      port.setVlanOffload(0);
    }
    expect(port.link.up).toBe(true);
    await close(end);
  });

  it('are taken out when the queue was configured so, whoever connects', async () => {
    const path = join(dir, `sock${attached}`);
    const port = await eal.attach(`net_vhost${attached++},iface=${path}`);
    port.configure({ rxOffloads: ['VLAN_STRIP'] });
    port.setupRxQueue(0, { pool });
    port.setupTxQueue(0);
    await port.start();
    const plain = makeFrame(2, 60);
    for (let round = 0; round < 2; round++) {
      const guest = await FakeFrontend.connect(path, { features: PLAIN, ringSize: 32 });
      await expect.poll(() => port.link.up).toBe(true);
      expect(await receive(port, guest, tagged(plain))).toMatchObject({ frame: plain, tci: TCI });
      await guest.close();
      await expect.poll(() => port.link.up).toBe(false);
    }
    await port.stop();
    await eal.detach(port);
  });

  it('are put in on transmit where the mbuf asks for it', async () => {
    const end = await open(PLAIN);
    const plain = makeFrame(3, 100);
    const burst = eal.burst(1);
    pool.fill(burst, 1);
    native.mbufAppend(burst.at(0), plain);
    eal.mbufs.setVlanTci(burst.at(0), TCI);
    eal.mbufs.setOlFlags(burst.at(0), L.OL_TX_VLAN);
    expect(end.port.txQueue(0).burst(burst)).toBe(1);
    expect(end.guest.receive()).toEqual([tagged(plain)]);
    await close(end);
  });

  it('that the driver does not know are refused', async () => {
    const end = await open(PLAIN);
    expect(() => end.port.setVlanOffload(2)).toThrow('VLAN_FILTER');
    expect(end.port.vlanOffload).toBe(0);
    await close(end);
  });
});
