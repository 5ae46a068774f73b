import { L, native } from '@pollwire/native';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Cut, RunOptions } from '../fixtures/engine-rig.js';
import { EngineRig } from '../fixtures/engine-rig.js';
import { internetChecksum, ipv4, pattern, tcp4, tcp6, udp4, udp6 } from '../fixtures/packets.js';

let rig: EngineRig;
beforeAll(async () => {
  rig = await EngineRig.open();
});
afterAll(() => rig.close());
afterEach(() => expect(rig.pool.inUse, 'mbufs that nobody freed').toBe(0));

interface Result {
  bytes: Uint8Array;
  badIp: number;
  badL4: number;
  flags: number;
  lengths: number[];
}

async function pass(frame: Uint8Array, cut: Cut = {}, options: RunOptions = {}): Promise<Result> {
  const run = await rig.run('csum', options);
  rig.inject([rig.packet(frame, cut)]);
  run.poll();
  const [h] = rig.take() as [number];
  const { mbufs } = rig.eal;
  const result = {
    bytes: mbufs.toBytes(h),
    badIp: run.counter('BAD_IP'),
    badL4: run.counter('BAD_L4'),
    flags: mbufs.olFlags(h),
    lengths: [mbufs.l2Len(h), mbufs.l3Len(h), mbufs.l4Len(h)],
  };
  native.mbufFree(h);
  run.stop();
  return result;
}

/** The frame as csum addresses it. */
function readdressed(frame: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(frame);
  copy.set([2, 0, 0, 0, 0, 1], 0);
  copy.set(rig.mac(1), 6);
  return copy;
}

const broken = (frame: Uint8Array, at: number): Uint8Array => {
  const copy = Uint8Array.from(frame);
  copy[at] = (copy[at] as number) ^ 0x5a;
  return copy;
};

const CUTS: [string, Cut][] = [
  ['one segment', {}],
  ['odd segments', { segments: [41, 1, 33, 101] }],
  ['a byte per segment', { segments: Array.from({ length: 120 }, () => 1) }],
  ['an odd address', { headroom: 133 }],
];

describe.each([
  ['IPv4 UDP', (payload: number[]) => udp4(payload), 40],
  ['IPv4 TCP', (payload: number[]) => tcp4(payload), 50],
  ['IPv6 UDP', (payload: number[]) => udp6(payload), 60],
  ['IPv6 TCP', (payload: number[]) => tcp6(payload), 70],
  [
    'IPv4 TCP with tags and options',
    (payload: number[]) => tcp4(payload, { vlans: [1, 2], options: [1, 1, 1, 0] }),
    62,
  ],
])('%s', (_name, make, at) => {
  describe.each(CUTS)('%s', (_cut, cut) => {
    it.each([[0], [1], [31], [256], [1461], [3001]])(
      'with %i bytes: right stays, wrong is put right and counted',
      async (n) => {
        const frame = make(pattern(n, n));
        const good = await pass(frame, cut);
        expect(good.bytes).toEqual(readdressed(frame));
        expect([good.badIp, good.badL4]).toEqual([0, 0]);
        const bad = await pass(broken(frame, at), cut);
        expect(bad.bytes).toEqual(readdressed(frame));
        expect([bad.badIp, bad.badL4]).toEqual([0, 1]);
      },
    );
  });
});

it('puts a wrong IPv4 header checksum right and counts it', async () => {
  const frame = udp4(pattern(30));
  const result = await pass(broken(frame, 24));
  expect(result.bytes).toEqual(readdressed(frame));
  expect([result.badIp, result.badL4]).toEqual([1, 0]);
});

it('writes 0xffff where a UDP checksum comes out as 0', async () => {
  // Payload chosen so that the sum of everything else is 0xffff.
  const frame = udp4([0, 0]);
  const sum = internetChecksum([...frame.subarray(26, 34), 0, 17, 0, 10, ...frame.subarray(34, 40), 0, 0]);
  const exact = udp4([sum >> 8, sum & 0xff]);
  exact.set([0x12, 0x34], 40);
  const result = await pass(exact);
  expect([...result.bytes.subarray(40, 42)]).toEqual([0xff, 0xff]);
});

it('leaves alone: UDP without a checksum, fragments, other protocols, packets cut short', async () => {
  const none = Uint8Array.from(udp4(pattern(20)));
  none.set([0, 0], 40);
  const fragment = ipv4(17, pattern(64), { fragment: { offset: 64, more: true } });
  const other = ipv4(89, pattern(64));
  const short = tcp4(pattern(100)).subarray(0, 90);
  for (const frame of [none, fragment, other, short]) {
    const result = await pass(frame);
    expect(result.bytes).toEqual(readdressed(frame));
    expect([result.badIp, result.badL4]).toEqual([0, 0]);
  }
});

it('completes what a local peer left unfinished without calling it wrong', async () => {
  const frame = tcp4(pattern(500));
  const result = await pass(broken(frame, 50), { flags: L.OL_RX_L4_CKSUM_NONE });
  expect(result.bytes).toEqual(readdressed(frame));
  expect(result.badL4).toBe(0);
});

it("counts what the port's own verification found", async () => {
  const result = await pass(udp4(pattern(9)), { flags: L.OL_RX_IP_CKSUM_BAD | L.OL_RX_L4_CKSUM_BAD });
  expect([result.badIp, result.badL4]).toEqual([1, 1]);
});

it('leaves sums to a port that was told to make them: flags, header lengths, pseudo header', async () => {
  const frame = tcp4(pattern(100));
  const checksum = new Map([[1, { ip: true, udp: true, tcp: true }]]);
  const result = await pass(frame, {}, { settings: { checksum } });
  expect(result.flags).toBe(L.OL_TX_IP_CKSUM | L.OL_TX_TCP_CKSUM | L.OL_TX_IPV4);
  expect(result.lengths).toEqual([14, 20, 20]);
  expect([...result.bytes.subarray(24, 26)]).toEqual([0, 0]);
  const pseudo = [...frame.subarray(26, 34), 0, 6, 0, 120];
  expect((result.bytes[50] as number) * 256 + (result.bytes[51] as number)).toBe(
    ~internetChecksum(pseudo) & 0xffff,
  );
});

it('asks for segments where tso is set and the payload is longer than one', async () => {
  const tso = new Map([[1, 300]]);
  const asked = L.OL_TX_TCP_SEG | L.OL_TX_TCP_CKSUM | L.OL_TX_IPV4;
  expect((await pass(tcp4(pattern(301)), {}, { settings: { tso } })).flags).toBe(asked);
  expect((await pass(tcp4(pattern(300)), {}, { settings: { tso } })).flags).toBe(0);
  expect((await pass(udp4(pattern(301)), {}, { settings: { tso } })).flags).toBe(0);
  expect((await pass(tcp4(pattern(301)), {}, { settings: { tso: new Map([[0, 300]]) } })).flags).toBe(0);
});
