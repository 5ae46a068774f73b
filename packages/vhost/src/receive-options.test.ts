/** How receivers of the library hand packets over: options linearBuffer, extBuffer and compliantOlFlags of a VhostSocket. Row A52, B.6. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Mempool } from '@pollwire/ethdev';
import { Eal } from '@pollwire/ethdev';
import { L } from '@pollwire/native';
import { FakeFrontend, makeFrame } from '@pollwire/testkit';
import { Feature } from '@pollwire/vhost-user';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { VhostOptions } from './index.js';
import { VhostSocket } from './index.js';

const HEADER = 12;
const UDP = 14 + 20;
const NEEDS_CSUM = 1;

let eal: Eal;
let pool: Mempool;
let large: Mempool;
const dir = mkdtempSync(join(tmpdir(), 'pw-receive-'));

beforeAll(async () => {
  eal = await Eal.init({ memory: 64, huge: 'never' }, () => undefined);
  pool = eal.createPool({ name: 'small', size: 256, dataRoom: 2176, cache: 0 });
  large = eal.createPool({ name: 'large', size: 4, dataRoom: 65_000, cache: 0 });
});
afterAll(async () => {
  await eal.close();
  rmSync(dir, { recursive: true });
});

interface Received {
  count: number;
  segments: number;
  length: number;
  flags: number;
  failed: bigint;
}

/** What a receiver makes of one frame that `send` puts into the guest's ring. */
async function receive(options: VhostOptions, send: (guest: FakeFrontend) => void): Promise<Received> {
  const path = join(dir, 's');
  const socket = new VhostSocket(path, options).start();
  const guest = await FakeFrontend.connect(path, {
    ringSize: 32,
    features: Feature.VIRTIO_F_VERSION_1 | Feature.VHOST_USER_F_PROTOCOL_FEATURES | Feature.VIRTIO_NET_F_CSUM,
  });
  await vi.waitFor(() => expect(socket.device?.ready).toBe(true));
  const device = socket.device;
  const [rx, burst] = [device?.receiver(0, pool), eal.burst(4)];
  send(guest);
  const count = rx?.burst(burst) ?? -1;
  const stats = device?.vring(1).stats();
  const one = count === 1 ? burst.at(0) : 0;
  const received = {
    count,
    segments: one === 0 ? 0 : eal.mbufs.nbSegs(one),
    length: one === 0 ? 0 : eal.mbufs.pktLen(one),
    flags: one === 0 ? 0 : eal.mbufs.olFlags(one),
    failed: stats?.get('drop_bad_length') ?? -1n,
  };
  burst.free();
  await guest.close();
  await socket.close();
  return received;
}

describe('a packet longer than one mbuf', () => {
  const send = (guest: FakeFrontend) => void guest.send([makeFrame(1, 5000)]);

  it('is chained', async () => {
    expect(await receive({}, send)).toMatchObject({ count: 1, segments: 3, length: 5000 });
  });
  it('is dropped and counted with linearBuffer', async () => {
    expect(await receive({ linearBuffer: true }, send)).toMatchObject({ count: 0, failed: 1n });
  });
  it('borrows a larger buffer with extBuffer', async () => {
    const expected = { count: 1, segments: 1, length: 5000 };
    expect(await receive({ extBuffer: large }, send)).toMatchObject(expected);
    expect(await receive({ extBuffer: large, linearBuffer: true }, send)).toMatchObject(expected);
  });
});

describe('an open checksum', () => {
  /** IPv4 and UDP, 20 bytes of payload; the header of the ring says that the UDP checksum is open. */
  const send = (guest: FakeFrontend): void => {
    const frame = makeFrame(1, UDP + 8 + 20);
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    view.setUint16(12, 0x0800);
    frame.fill(0, 14, UDP + 8);
    view.setUint8(14, 0x45);
    view.setUint16(16, frame.length - 14);
    view.setUint8(22, 64);
    view.setUint8(23, 17);
    view.setUint16(UDP + 4, 28);
    const { memory, rings } = guest;
    const offset = memory.alloc(HEADER + frame.length);
    memory.u8.fill(0, offset, offset + HEADER);
    memory.view.setUint8(offset, NEEDS_CSUM);
    memory.view.setUint16(offset + 6, UDP, true);
    memory.view.setUint16(offset + 8, 6, true);
    memory.u8.set(frame, offset + HEADER);
    rings[1]?.post([{ offset, length: HEADER + frame.length }]);
    rings[1]?.publish();
  };

  it('is a receive flag', async () => {
    const { flags } = await receive({}, send);
    expect(flags & L.OL_RX_L4_CKSUM_NONE).toBe(L.OL_RX_L4_CKSUM_NONE);
  });
  it('is a transmit request with compliantOlFlags: false', async () => {
    const { flags } = await receive({ compliantOlFlags: false }, send);
    expect(flags & L.OL_RX_L4_CKSUM_NONE).toBe(0);
    expect(flags & L.OL_TX_UDP_CKSUM).toBe(L.OL_TX_UDP_CKSUM);
  });
});
