/**
 * Checksum and segmentation offload between a net_vhost and a net_virtio_user port of one process: what is negotiated is left to the
 * other side, what is not is done in software.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Mempool, Port, PortConfigOptions } from '@pollwire/ethdev';
import { Eal } from '@pollwire/ethdev';
import { L, native } from '@pollwire/native';
import { netVhost } from '@pollwire/vhost';
import { netVirtioUser } from '@pollwire/virtio';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { TcpFrameOptions } from '../harness/tcp-frame.js';
import {
  checksumIsOpen,
  checksumsAreRight,
  headerLengths,
  payloadOf,
  tcpFrame,
} from '../harness/tcp-frame.js';

const SIZE = 1400;
const OFFLOADS: PortConfigOptions = {
  rxOffloads: ['UDP_CKSUM', 'TCP_CKSUM', 'TCP_LRO'],
  txOffloads: ['UDP_CKSUM', 'TCP_CKSUM', 'TCP_TSO'],
};

const dir = mkdtempSync(join(tmpdir(), 'pw-offload-'));
const path = join(dir, 'sock');
const logged: string[] = [];
let eal: Eal;
let pool: Mempool;

beforeAll(async () => {
  eal = await Eal.init({ memory: 96, huge: 'never', drivers: [netVhost, netVirtioUser] }, (line) =>
    logged.push(line),
  );
  pool = eal.createPool({ name: 'offload', size: 4096, cache: 64 });
});
afterEach(() => expect(pool.inUse, 'mbufs that nobody freed').toBe(0));
afterAll(async () => {
  await eal.close();
  rmSync(dir, { recursive: true });
});

interface Ends {
  vhost: Port;
  virtio: Port;
}

async function join2(devargs: { vhost?: string; virtio?: string }, config: PortConfigOptions): Promise<Ends> {
  const vhost = await eal.attach(`net_vhost0,iface=${path}${devargs.vhost ?? ''}`);
  await vhost.start(pool);
  const virtio = await eal.attach(`net_virtio_user1,path=${path}${devargs.virtio ?? ''}`);
  // The frames are for made-up addresses.
  virtio.setPromiscuous(true);
  virtio.configure(config);
  virtio.setupRxQueue(0, { pool });
  virtio.setupTxQueue(0);
  await virtio.start();
  await expect.poll(() => vhost.link.up && virtio.link.up).toBe(true);
  return { vhost, virtio };
}

async function leave({ vhost, virtio }: Ends): Promise<void> {
  for (const port of [virtio, vhost]) {
    await port.stop();
    await eal.detach(port);
  }
}

/** Sends a packet that asks for its checksum and, when it is long, for being cut. */
function send(port: Port, options: TcpFrameOptions): void {
  const burst = eal.burst(1);
  pool.fill(burst, 1);
  const h = burst.at(0);
  native.mbufAppend(h, tcpFrame(options));
  const version = options.ipv6 === true ? L.OL_TX_IPV6 : L.OL_TX_IPV4;
  const cut = options.payload > SIZE ? L.OL_TX_TCP_SEG : 0;
  eal.mbufs.setOlFlags(h, L.OL_TX_TCP_CKSUM | version | cut);
  eal.mbufs.setHeaderLengths(h, ...headerLengths(options));
  eal.mbufs.setTsoSegsz(h, SIZE);
  expect(port.txQueue(0).burst(burst)).toBe(1);
}

interface Arrived {
  frame: Uint8Array;
  flags: number;
  size: number;
  segments: number;
}

async function receive(port: Port, count: number): Promise<Arrived[]> {
  const burst = eal.burst(64);
  const list: Arrived[] = [];
  await expect
    .poll(() => {
      port.rxQueue(0).burst(burst);
      for (let i = 0; i < burst.length; i++) {
        const h = burst.at(i);
        const { mbufs } = eal;
        const [flags, size, segments] = [mbufs.olFlags(h), mbufs.tsoSegsz(h), mbufs.nbSegs(h)];
        list.push({ frame: mbufs.toBytes(h), flags, size, segments });
      }
      burst.free();
      return list.length;
    })
    .toBe(count);
  return list;
}

const RINGS: [name: string, devargs: string][] = [
  ['split rings', ''],
  ['packed rings', ',packed_vq=1'],
  ['split rings in any order', ',in_order=0'],
];
const FRAMES: TcpFrameOptions[] = [false, true].flatMap((ipv6) =>
  [100, 1401, 20_000].map((payload) => ({ ipv6, payload })),
);
const featuresOf = (port: Port): string => port.privateInfo()['features'] as string;

describe.each(RINGS)('%s', (_name, ring) => {
  it('leave to the other side what was negotiated', async () => {
    const ends = await join2({ vhost: ',tso=1', virtio: ring }, OFFLOADS);
    for (const name of ['NET_F_CSUM', 'GUEST_CSUM', 'GUEST_TSO4', 'GUEST_TSO6', 'HOST_TSO4', 'HOST_TSO6']) {
      expect(featuresOf(ends.virtio), name).toContain(name);
    }
    for (const [from, to] of [
      [ends.vhost, ends.virtio],
      [ends.virtio, ends.vhost],
    ] as const) {
      for (const options of FRAMES) {
        send(from, options);
        const [arrived] = (await receive(to, 1)) as [Arrived];
        const large = options.payload > SIZE;
        expect(arrived.flags).toBe(L.OL_RX_L4_CKSUM_NONE | (large ? L.OL_RX_LRO : 0));
        expect(arrived.size).toBe(large ? SIZE : 0);
        expect(checksumIsOpen(arrived.frame)).toBe(true);
        expect(payloadOf([arrived.frame])).toEqual(payloadOf([tcpFrame(options)]));
      }
    }
    await leave(ends);
  });

  it('do in software what was not', async () => {
    const ends = await join2({ vhost: ',tso=1', virtio: ring }, {});
    expect(featuresOf(ends.virtio)).not.toMatch(/CSUM|TSO/);
    for (const [from, to] of [
      [ends.vhost, ends.virtio],
      [ends.virtio, ends.vhost],
    ] as const) {
      for (const options of FRAMES) {
        send(from, options);
        const arrived = await receive(to, Math.ceil(options.payload / SIZE));
        for (const { frame, flags } of arrived) {
          expect(flags).toBe(0);
          expect(frame.length).toBeLessThanOrEqual(14 + 60 + SIZE);
          expect(checksumsAreRight(frame)).toBe(true);
        }
        expect(payloadOf(arrived.map(({ frame }) => frame))).toEqual(payloadOf([tcpFrame(options)]));
      }
      expect(from.stats().oerrors).toBe(0n);
      expect(from.stats().opackets, 'each segment is a packet').toBe(to.stats().ipackets);
      expect(from.stats().obytes).toBe(to.stats().ibytes);
    }
    expect(new Map(ends.vhost.xstats()).get('tx_q0_segmented')).toBe(4n);
    await leave(ends);
  });

  it('cut in software what the device completes the checksums of', async () => {
    // Without tso=1 the device offers checksums only.
    const ends = await join2({ virtio: ring }, OFFLOADS);
    expect(featuresOf(ends.virtio)).not.toMatch(/HOST_TSO/);
    send(ends.virtio, { payload: 20_000 });
    const arrived = await receive(ends.vhost, 15);
    for (const { frame, flags } of arrived) {
      expect(flags).toBe(L.OL_RX_L4_CKSUM_NONE);
      expect(checksumIsOpen(frame)).toBe(true);
    }
    expect(payloadOf(arrived.map(({ frame }) => frame))).toEqual(payloadOf([tcpFrame({ payload: 20_000 })]));
    await leave(ends);
  });

  it('renegotiate when the port is configured anew', async () => {
    const ends = await join2({ vhost: ',tso=1', virtio: ring }, {});
    const { vhost, virtio } = ends;
    for (const config of [OFFLOADS, {}, OFFLOADS]) {
      await virtio.stop();
      virtio.configure(config);
      virtio.setupRxQueue(0, { pool });
      virtio.setupTxQueue(0);
      await virtio.start();
      await expect.poll(() => vhost.link.up && virtio.link.up).toBe(true);
      send(vhost, { payload: 5000 });
      await receive(virtio, config === OFFLOADS ? 1 : 4);
      send(virtio, { payload: 5000 });
      await receive(vhost, config === OFFLOADS ? 1 : 4);
    }
    await leave(ends);
  });
});

it('without mergeable buffers large packets are not asked for, with a warning', async () => {
  const ends = await join2({ vhost: ',tso=1', virtio: ',mrg_rxbuf=0' }, OFFLOADS);
  expect(featuresOf(ends.virtio)).toContain('GUEST_CSUM');
  expect(featuresOf(ends.virtio)).not.toMatch(/GUEST_TSO/);
  expect(logged.filter((line) => /large packets are not received.*mrg_rxbuf=0/.test(line))).toHaveLength(1);
  send(ends.vhost, { payload: 5000 });
  expect(await receive(ends.virtio, 4)).toHaveLength(4);
  await leave(ends);
});

describe('ext-buffer=1', () => {
  const large = { payload: 60_000 };

  it.each([
    ['a chain without it', ',tso=1', 30],
    ['one mbuf', ',tso=1,ext-buffer=1', 1],
    ['one mbuf, and tso=1 has effect with linear-buffer=1', ',tso=1,ext-buffer=1,linear-buffer=1', 1],
  ])('a large packet is %s', async (_name, devargs, segments) => {
    const ends = await join2({ vhost: devargs }, OFFLOADS);
    send(ends.virtio, large);
    const [arrived] = (await receive(ends.vhost, 1)) as [Arrived];
    expect(arrived.segments).toBe(segments);
    expect(arrived.flags).toBe(L.OL_RX_L4_CKSUM_NONE | L.OL_RX_LRO);
    expect(payloadOf([arrived.frame])).toEqual(payloadOf([tcpFrame(large)]));
    const buffers = eal.pools.get('net_vhost0_ext');
    expect(buffers?.inUse).toBe(devargs.includes('ext-buffer') ? 0 : undefined);
    await leave(ends);
    expect(eal.pools.has('net_vhost0_ext')).toBe(false);
  });

  it('buffers of packets that outlive the port stay, for the next port of that name', async () => {
    const first = await join2({ vhost: ',tso=1,ext-buffer=1' }, OFFLOADS);
    send(first.virtio, large);
    const kept = eal.burst(1);
    await expect.poll(() => first.vhost.rxQueue(0).burst(kept)).toBe(1);
    await leave(first);
    expect(eal.pools.get('net_vhost0_ext')?.inUse).toBe(1);
    expect(eal.mbufs.toBytes(kept.at(0)).length).toBe(14 + 40 + large.payload);
    const second = await join2({ vhost: ',tso=1,ext-buffer=1' }, OFFLOADS);
    kept.free();
    await leave(second);
    expect(eal.pools.has('net_vhost0_ext')).toBe(false);
  });
});

it('legacy-ol-flags=1: received packets carry transmit requests, which any port fulfils', async () => {
  const ends = await join2({ vhost: ',tso=1,legacy-ol-flags=1' }, OFFLOADS);
  send(ends.virtio, { payload: 100 });
  send(ends.virtio, { payload: 5000 });
  const [small, large] = (await receive(ends.vhost, 2)) as [Arrived, Arrived];
  expect(small.flags).toBe(L.OL_TX_TCP_CKSUM | L.OL_TX_IPV4);
  expect(large.flags).toBe(L.OL_TX_TCP_CKSUM | L.OL_TX_TCP_SEG | L.OL_TX_IPV4);
  expect(large.size).toBe(SIZE);
  // As it came, back to where it came from.
  const burst = eal.burst(1);
  send(ends.virtio, { payload: 5000 });
  await expect.poll(() => ends.vhost.rxQueue(0).burst(burst)).toBe(1);
  expect(ends.vhost.txQueue(0).burst(burst)).toBe(1);
  const [back] = (await receive(ends.virtio, 1)) as [Arrived];
  expect(back.flags).toBe(L.OL_RX_L4_CKSUM_NONE | L.OL_RX_LRO);
  expect(payloadOf([back.frame])).toEqual(payloadOf([tcpFrame({ payload: 5000 })]));
  await leave(ends);
});
