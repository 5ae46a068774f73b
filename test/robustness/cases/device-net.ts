/** Rows 108 to 118: packet headers, offload requests and frames of any shape, in both ring formats. */
import assert from 'node:assert/strict';
import { native } from '@pollwire/native';
import { INTERESTING_LENGTHS, makeFrame } from '@pollwire/testkit';
import { Feature } from '@pollwire/vhost-user';
import type { DeviceCase } from '../case.js';
import { deviceCase } from '../case.js';
import type { FrontBench } from '../front-bench.js';
import type { Descriptor, HostileGuest } from '../peers/hostile-guest.js';
import { D } from '../peers/hostile-guest.js';

const BOTH = ['split', 'packed'] as const;
const HEADER = 12;
const OFFLOADS = Feature.VIRTIO_NET_F_CSUM | Feature.VIRTIO_NET_F_MRG_RXBUF | Feature.VIRTIO_F_INDIRECT_DESC;

interface NetHeader {
  readonly flags?: number;
  readonly gsoType?: number;
  readonly hdrLen?: number;
  readonly gsoSize?: number;
  readonly csumStart?: number;
  readonly csumOffset?: number;
  readonly numBuffers?: number;
}

/** Header and frame at a data page. */
function put(guest: HostileGuest, header: NetHeader, frame: Uint8Array, page = 0): void {
  const at = guest.place(page);
  const { view, u8 } = guest.memory;
  view.setUint8(at, header.flags ?? 0);
  view.setUint8(at + 1, header.gsoType ?? 0);
  view.setUint16(at + 2, header.hdrLen ?? 0, true);
  view.setUint16(at + 4, header.gsoSize ?? 0, true);
  view.setUint16(at + 6, header.csumStart ?? 0, true);
  view.setUint16(at + 8, header.csumOffset ?? 0, true);
  view.setUint16(at + 10, header.numBuffers ?? 0, true);
  u8.set(frame, at + HEADER);
}

/** Sends what was put there, in one piece. */
function send(guest: HostileGuest, bytes: number): void {
  guest.rings[1].offer([{ addr: guest.data(), length: HEADER + bytes }]);
}

/** Every packet of one burst, as bytes. */
async function frames(bench: FrontBench): Promise<Uint8Array[]> {
  const { port } = await bench.target();
  const burst = bench.bench.eal.burst(64);
  const got = port.rxQueue(0).burst(burst);
  const bytes = Array.from(burst.handles.subarray(0, got), (handle) => {
    const frame = new Uint8Array(bench.bench.eal.mbufs.pktLen(handle));
    native.mbufRead(handle, 0, frame);
    return frame;
  });
  burst.free();
  burst.release();
  return bytes;
}

/** Headers of which each is answered with a packet as it was, or a counted refusal of what it asks. */
function headers(
  row: number,
  what: string,
  list: readonly NetHeader[],
  features: bigint,
  frame = makeFrame(1, 100),
): DeviceCase {
  return deviceCase(
    row,
    what,
    async (bench) => {
      const guest = await bench.guest({ features });
      const { port } = await bench.target();
      for (const header of list) {
        const before = bench.counter(port, 'rx', 'RX_BAD_OFFLOAD');
        put(guest, header, frame);
        send(guest, frame.length);
        const got = await frames(bench);
        const refused = bench.counter(port, 'rx', 'RX_BAD_OFFLOAD') - before;
        assert.ok(got.length <= 1);
        if (refused === 0) assert.deepEqual(got, [frame], JSON.stringify(header));
      }
      put(guest, {}, frame);
      send(guest, frame.length);
      assert.deepEqual(await frames(bench), [frame], 'an honest one passes');
    },
    BOTH,
  );
}

const NEEDS_CSUM = 1;

export const DEVICE_NET: readonly DeviceCase[] = [
  headers(
    108,
    'checksum places outside the packet',
    [
      { flags: NEEDS_CSUM, csumStart: 100, csumOffset: 0 },
      { flags: NEEDS_CSUM, csumStart: 99, csumOffset: 0 },
      { flags: NEEDS_CSUM, csumStart: 65_535, csumOffset: 65_535 },
      { flags: NEEDS_CSUM, csumStart: 14, csumOffset: 65_530 },
      { flags: NEEDS_CSUM, csumStart: 1, csumOffset: 65_535 },
    ],
    OFFLOADS,
  ),
  headers(
    109,
    'segmentation that cannot be',
    [
      { gsoType: 2, gsoSize: 100 },
      { gsoType: 0x80, gsoSize: 0 },
      { gsoType: 1, gsoSize: 0, hdrLen: 65_535 },
      { gsoType: 4, gsoSize: 65_535, flags: NEEDS_CSUM, csumStart: 34, csumOffset: 16 },
      { gsoType: 255, gsoSize: 1 },
    ],
    OFFLOADS,
  ),
  headers(
    109,
    'segmentation of a frame of 20 bytes',
    [
      { gsoType: 1, gsoSize: 1 },
      { gsoType: 4, gsoSize: 9 },
    ],
    OFFLOADS,
    makeFrame(1, 20),
  ),
  headers(
    110,
    'offloads that were not agreed',
    [
      { flags: NEEDS_CSUM, csumStart: 34, csumOffset: 16 },
      { gsoType: 1, gsoSize: 9 },
    ],
    Feature.VIRTIO_NET_F_MRG_RXBUF,
  ),
  headers(112, 'a number of buffers from the driver', [{ numBuffers: 65_535 }, { numBuffers: 2 }], OFFLOADS),
  deviceCase(
    111,
    'the header in pieces of one byte',
    async (bench) => {
      const guest = await bench.guest();
      const frame = makeFrame(3, 100);
      put(guest, {}, frame);
      const chain: Descriptor[] = Array.from({ length: HEADER + 1 }, (_, i) => ({
        addr: guest.data() + BigInt(i),
        length: i < HEADER ? 1 : frame.length,
        flags: i < HEADER ? D.NEXT : 0,
        ...(bench.format === 'packed' ? {} : { next: i + 1 }),
      }));
      guest.rings[1].offer(chain);
      assert.deepEqual(await frames(bench), [frame]);
    },
    BOTH,
  ),
  deviceCase(
    113,
    'frames of 0 to 60 bytes',
    async (bench) => {
      const guest = await bench.guest();
      const { port } = await bench.target();
      for (let length = 0; length <= 60; length++) {
        const frame = length < 14 ? new Uint8Array(length).fill(1) : makeFrame(length, length);
        put(guest, {}, frame);
        send(guest, length);
        assert.deepEqual(await frames(bench), length < 14 ? [] : [frame], `${length} bytes`);
      }
      assert.equal(bench.counter(port, 'rx', 'RX_BAD_LENGTH'), 14);
    },
    BOTH,
  ),
  deviceCase(
    114,
    'a frame longer than any',
    async (bench) => {
      const guest = await bench.guest();
      const { port } = await bench.target();
      put(guest, {}, new Uint8Array(0));
      for (const length of [65_554, 100_000, 500_000]) {
        send(guest, length);
        assert.deepEqual(await frames(bench), [], `${length} bytes`);
      }
      assert.equal(bench.counter(port, 'rx', 'RX_BAD_LENGTH'), 3);
    },
    BOTH,
  ),
  deviceCase(
    115,
    'network headers cut at every byte',
    async (bench) => {
      const guest = await bench.guest({ features: OFFLOADS });
      // VLAN twice, IPv6 with a hop-by-hop header, TCP: whatever the length says, the parser stays inside.
      const head = [0x81, 0, 0, 5, 0x81, 0, 0, 6, 0x86, 0xdd, 0x60, 0, 0, 0, 0xff, 0xff, 0, 64];
      const whole = makeFrame(9, 120);
      whole.set(head, 12);
      for (let length = 14; length <= whole.length; length++) {
        const frame = whole.slice(0, length);
        put(guest, { flags: NEEDS_CSUM, csumStart: 62, csumOffset: 16, gsoType: 4, gsoSize: 10 }, frame);
        send(guest, length);
        assert.ok((await frames(bench)).length <= 1);
      }
      put(guest, {}, whole);
      send(guest, whole.length);
      assert.deepEqual(await frames(bench), [whole]);
    },
    BOTH,
  ),
  deviceCase(
    117,
    'goes on while the pool is empty',
    async (bench) => {
      const guest = await bench.guest();
      const { port } = await bench.target();
      const held: number[] = [];
      for (let handle = bench.bench.pool.alloc(); handle !== 0; handle = bench.bench.pool.alloc())
        held.push(handle);
      const frame = makeFrame(5, 80);
      put(guest, {}, frame);
      for (let i = 0; i < 8; i++) send(guest, frame.length);
      assert.deepEqual(await frames(bench), []);
      assert.ok(bench.counter(port, 'rx', 'RX_NO_MBUF') > 0, 'it is counted');
      for (const handle of held) native.mbufFree(handle);
      send(guest, frame.length);
      const after = await frames(bench);
      assert.ok(after.length > 0, 'it goes on by itself');
      assert.equal(port.link.up, true);
    },
    BOTH,
  ),
  deviceCase(
    118,
    'frames of every size in pieces of any',
    async (bench) => {
      const guest = await bench.guest();
      let sequence = 0;
      for (const length of [...INTERESTING_LENGTHS, 65_535]) {
        const frame = makeFrame(sequence++, length);
        put(guest, {}, frame);
        const total = HEADER + length;
        const count = 1 + (sequence % 7);
        const size = Math.ceil(total / count);
        const chain: Descriptor[] = [];
        for (let at = 0; at < total; at += size) {
          const isLast = at + size >= total;
          chain.push({
            addr: guest.data() + BigInt(at),
            length: Math.min(size, total - at),
            flags: isLast ? 0 : D.NEXT,
            ...(bench.format === 'packed' ? {} : { next: chain.length + 1 }),
          });
        }
        guest.rings[1].offer(chain);
        assert.deepEqual(await frames(bench), [frame], `${length} bytes in ${count} pieces`);
      }
    },
    BOTH,
  ),
];
