import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Burst, Mempool, Port } from '@pollwire/ethdev';
import { Eal } from '@pollwire/ethdev';
import { native } from '@pollwire/native';
import { INTERESTING_LENGTHS, makeFrame, makeFrames } from '@pollwire/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PcapShape } from './fixtures/pcap-bytes.js';
import { pcapBytes } from './fixtures/pcap-bytes.js';
import { drivers } from './index.js';

let eal: Eal;
let pool: Mempool;
let burst: Burst;
let dir: string;
beforeEach(async () => {
  eal = await Eal.init({ drivers, memory: 64, huge: 'never' }, () => undefined);
  pool = eal.createPool({ name: 'p', size: 512 });
  burst = eal.burst(32);
  dir = mkdtempSync(join(tmpdir(), 'pw-pcap-'));
});
afterEach(async () => {
  burst.release();
  expect(pool.inUse).toBe(0);
  await eal.close();
  rmSync(dir, { recursive: true });
  expect(native.mbufViolations()).toBe(0);
});

const file = (name: string) => join(dir, name);

function capture(frames: readonly Uint8Array[], shape: PcapShape = {}, name = 'in.pcap'): string {
  writeFileSync(file(name), pcapBytes(frames, shape));
  return file(name);
}

async function attach(devargs: string): Promise<Port> {
  const port = await eal.attach(`net_pcap0,${devargs}`);
  await port.start(pool);
  return port;
}

/** At most `most` frames. */
function receive(port: Port, most = 1000, queue = 0): Uint8Array[] {
  const frames: Uint8Array[] = [];
  while (frames.length < most && port.rxQueue(queue).burst(burst) > 0) {
    for (let i = 0; i < burst.length; i++) {
      const frame = new Uint8Array(eal.mbufs.pktLen(burst.at(i)));
      native.mbufRead(burst.at(i), 0, frame);
      frames.push(frame);
    }
    burst.free();
  }
  return frames;
}

function send(port: Port, frames: readonly Uint8Array[]): number {
  pool.fill(burst, frames.length);
  for (const [i, frame] of frames.entries()) native.mbufAppend(burst.at(i), frame);
  const sent = port.txQueue(0).burst(burst);
  burst.free(sent);
  burst.clear();
  return sent;
}

const shapes: [string, PcapShape][] = [
  ['little-endian', {}],
  ['big-endian', { littleEndian: false }],
  ['nanosecond', { magic: 0xa1b23c4d }],
];
it.each(shapes)('replays a %s file, once', async (_name, shape) => {
  const frames = makeFrames(INTERESTING_LENGTHS);
  const port = await attach(`rx_pcap=${capture(frames, shape)}`);
  expect(receive(port)).toEqual(frames);
  expect(receive(port)).toEqual([]);
  expect(port.stats()).toMatchObject({ ipackets: BigInt(frames.length), ierrors: 0n });
});

it('begins again with infinite_rx', async () => {
  const frames = makeFrames([60, 70, 80]);
  const port = await attach(`rx_pcap=${capture(frames)},infinite_rx=1`);
  const got = receive(port, 90);
  expect(got.length).toBeGreaterThanOrEqual(90);
  expect(got.every((frame, i) => Buffer.compare(frame, frames[i % 3] as Uint8Array) === 0)).toBe(true);
});

it('receives nothing from an empty file, however often', async () => {
  const port = await attach(`rx_pcap=${capture([])},infinite_rx=1`);
  expect(receive(port)).toEqual([]);
});

it('counts frames that are too short, and goes on', async () => {
  const port = await attach(`rx_pcap=${capture([new Uint8Array(13), new Uint8Array(0), makeFrame(1, 60)])}`);
  expect(receive(port)).toEqual([makeFrame(1, 60)]);
  expect(port.stats()).toMatchObject({ ipackets: 1n, ierrors: 2n });
});

it('loses nothing while the pool is empty', async () => {
  const frames = makeFrames([100, 9000, 200]);
  const port = await attach(`rx_pcap=${capture(frames)}`);
  const hoard = eal.burst(511);
  pool.fill(hoard, 511);
  expect(receive(port)).toEqual([frames[0]]);
  expect(port.stats().rxNombuf).toBeGreaterThan(0n);
  hoard.free();
  hoard.release();
  expect(receive(port)).toEqual(frames.slice(1));
});

it('writes what it can read again, more than a buffer at once', async () => {
  const frames = Array.from({ length: 32 }, (_, i) => makeFrame(i, 9018 + i));
  const port = await attach(`tx_pcap=${file('out.pcap')}`);
  expect(send(port, frames)).toBe(32);
  expect(port.stats()).toMatchObject({ opackets: 32n, oerrors: 0n });
  await port.stop();
  await eal.detach(port);
  expect(receive(await attach(`rx_pcap=${file('out.pcap')}`))).toEqual(frames);
});

it('cuts what it writes at snaplen, and says how long it was', async () => {
  const port = await attach(`tx_pcap=${file('out.pcap')},snaplen=64`);
  send(port, [makeFrame(1, 200), makeFrame(2, 60)]);
  const bytes = readFileSync(file('out.pcap'));
  expect([bytes.readUInt32LE(0), bytes.readUInt32LE(16), bytes.readUInt32LE(20)]).toEqual([
    0xa1b23c4d, 64, 1,
  ]);
  expect([bytes.readUInt32LE(32), bytes.readUInt32LE(36)]).toEqual([64, 200]);
  expect(bytes.length).toBe(24 + 16 + 64 + 16 + 60);
});

it('has a queue for each file', async () => {
  const [a, b] = [makeFrames([60]), makeFrames([70, 80])];
  const devargs = `rx_pcap=${capture(a, {}, 'a')},rx_pcap=${capture(b, {}, 'b')}`;
  const port = await eal.attach(`net_pcap0,${devargs},tx_pcap=${file('c')}`);
  expect([port.info.maxRxQueues, port.info.maxTxQueues]).toEqual([2, 1]);
  port.configure({ rxQueues: 2, txQueues: 1 });
  await port.start(pool);
  expect([receive(port, 9, 1), receive(port, 9, 0)]).toEqual([b, a]);
});

describe('refuses', () => {
  it.each([
    ['pcapng', pcapBytes([], { magic: 0x0a0d0d0a }), /pcapng is not read; convert it \(editcap -F pcap\)/],
    ['another link type', pcapBytes([], { linkType: 101 }), /link type 101, not Ethernet/],
    ['half a record', pcapBytes([makeFrame(1, 60)]).subarray(0, 90), /it ends within packet 1/],
    ['half a record header', pcapBytes([makeFrame(1, 60)]).subarray(0, 30), /it ends within packet 1/],
    ['nothing', new Uint8Array(3), /too short for a capture/],
  ])('a file that is %s', async (_name, bytes, message) => {
    writeFileSync(file('in'), bytes);
    await expect(eal.attach(`net_pcap0,rx_pcap=${file('in')}`)).rejects.toThrow(message);
    expect(eal.ports.size).toBe(0);
  });
});

it('refuses to write into what is no file', async () => {
  await expect(eal.attach('net_pcap0,tx_pcap=/dev/full')).rejects.toThrow(/net_pcap0: .*no regular file/);
});
