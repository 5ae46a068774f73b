/** Every example runs, does what it says, and ends by itself with exit code 0. Guests are fake front-ends. Rows A36, A48 of docs/vhost.md. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FakeFrontend, makeFrame, RequestFrontend } from '@pollwire/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { repoRoot } from '../harness/paths.js';
import type { ManagedProcess } from '../harness/process.js';
import { Scope } from '../harness/scope.js';
import { waitUntil } from '../harness/wait.js';

const SECONDS = 1000;

let scope: Scope;

beforeEach(() => {
  scope = new Scope();
});

afterEach(() => scope.close());

/** Starts a program of this checkout. */
function start(file: string, ...args: string[]): ManagedProcess {
  return scope.start({
    name: file,
    command: process.execPath,
    args: [join(repoRoot, file), ...args],
    cwd: repoRoot,
  });
}

async function expectGoodEnd(child: ManagedProcess): Promise<void> {
  const { code } = await child.exited;
  expect(code, child.text).toBe(0);
}

/** A guest that is gone when the test ends, whatever happens. */
async function guest(path: string): Promise<FakeFrontend> {
  const frontend = await FakeFrontend.connect(path);
  scope.onClose(() => frontend.close());
  return frontend;
}

/** Frames that arrive at a guest, as soon as there are `count`. */
function received(frontend: FakeFrontend, count: number): Promise<Uint8Array[]> {
  const frames: Uint8Array[] = [];
  return waitUntil(`${count} frames at the guest`, 20 * SECONDS, () => {
    frames.push(...frontend.receive());
    return frames.length >= count ? frames : undefined;
  });
}

/** Waits until the back-end has taken every frame that was sent. */
function taken(frontend: FakeFrontend): Promise<true> {
  const ring = frontend.rings[1];
  return waitUntil('the guest to get its transmit buffers back', 20 * SECONDS, () => {
    const used = ring === undefined ? -1 : ring.memory.view.getUint16(ring.used + 2, true);
    return used === ring?.availIdx ? true : undefined;
  });
}

const swapped = (frame: Uint8Array) =>
  Uint8Array.of(...frame.subarray(6, 12), ...frame.subarray(0, 6), ...frame.subarray(12));

describe('examples', () => {
  it('count-packets counts what a guest sends, until it hangs up', { timeout: 60 * SECONDS }, async () => {
    const socket = scope.path('s');
    const child = start('examples/dist/count-packets.js', socket);
    await child.waitFor(/waiting for a guest/, 30 * SECONDS);
    const frontend = await guest(socket);
    const lengths = [60, 64, 1518, 9000];
    expect(frontend.send(lengths.map((length, i) => makeFrame(i, length)))).toBe(lengths.length);
    await taken(frontend);
    await frontend.close();
    await expectGoodEnd(child);
    expect(child.text).toMatch(/link up\nlink down\n4 packets, 10642 bytes\n/);
  });

  it('forward moves packets between two ports', { timeout: 60 * SECONDS }, async () => {
    const child = start('examples/dist/forward.js', 'net_null0', 'net_ring0', '1');
    await expectGoodEnd(child);
    const [, forwarded] = /result: \{ forwarded: (\d+), dropped: \d+ \}/.exec(child.text) ?? [];
    expect(Number(forwarded)).toBeGreaterThan(0);
  });

  it('forward swaps addresses between two guests, and ends at Ctrl-C', {
    timeout: 60 * SECONDS,
  }, async () => {
    const [a, b] = [scope.path('a'), scope.path('b')];
    const child = start('examples/dist/forward.js', `net_vhost0,iface=${a}`, `net_vhost1,iface=${b}`, '60');
    await child.waitFor(/0 forwarded, 0 dropped/, 30 * SECONDS);
    const [left, right] = [await guest(a), await guest(b)];
    const frames = [makeFrame(1, 60), makeFrame(2, 1500)];
    left.send(frames);
    expect(await received(right, 2)).toEqual(frames.map(swapped));
    right.send(frames.slice(0, 1));
    expect(await received(left, 1)).toEqual([swapped(frames[0] as Uint8Array)]);
    child.signal('SIGINT');
    await expectGoodEnd(child);
    expect(child.text).toContain('result: { forwarded: 3, dropped: 0 }');
  });

  it('packet-printer prints a line for each packet', { timeout: 60 * SECONDS }, async () => {
    const socket = scope.path('s');
    const child = start('examples/dist/packet-printer.js', `net_vhost0,iface=${socket}`, '2');
    const frontend = await waitUntil('the socket', 30 * SECONDS, () => guest(socket).catch(() => undefined));
    frontend.send([makeFrame(1, 60), makeFrame(2, 3000)]);
    await expectGoodEnd(child);
    expect(child.text.trim().split('\n')).toEqual([
      expect.stringMatching(/^02:00:00:00:00:02 > 02:00:00:00:00:01 type 0x88b5 length 60 segments 1$/),
      expect.stringMatching(/^02:00:00:00:00:02 > 02:00:00:00:00:01 type 0x88b5 length 3000 segments 2$/),
    ]);
  });

  it('vhost-library answers a guest without a port', { timeout: 60 * SECONDS }, async () => {
    const socket = scope.path('s');
    const child = start('examples/dist/vhost-library.js', socket);
    await child.waitFor(/listening/, 30 * SECONDS);
    const frontend = await guest(socket);
    const frames = [makeFrame(1, 60), makeFrame(2, 1500), makeFrame(3, 9000)];
    frontend.send(frames);
    expect(await received(frontend, 3)).toEqual(frames.map(swapped));
    await frontend.close();
    await expectGoodEnd(child);
    expect(child.text).toMatch(/device \d+: features 0x\w+\ndevice \d+ stopped\n3 packets answered\n/);
  });

  it('vhost-user-blk answers every request, bad ones with a status byte (A71)', {
    timeout: 60 * SECONDS,
  }, async () => {
    const [file, socket] = [scope.path('disk'), scope.path('s')];
    writeFileSync(
      file,
      Uint8Array.from({ length: 8 * 512 + 100 }, (_, i) => i >> 9),
    );
    const child = start('examples/dist/vhost-user-blk.js', file, socket, '--queues', '2');
    await child.waitFor(/8 sectors of/, 30 * SECONDS);
    const driver = await RequestFrontend.connect(socket, { rings: 2 });
    scope.onClose(() => driver.close());
    /** A request of type and sector, with data behind its header; what came back ends with the status. */
    const ask = async (type: number, sector: bigint, data: Uint8Array, room: number) => {
      const bytes = new Uint8Array(16 + data.length);
      const view = new DataView(bytes.buffer);
      view.setUint32(0, type, true);
      view.setBigUint64(8, sector, true);
      bytes.set(data, 16);
      const answer = await driver.request(bytes, room, Number(sector & 1n));
      return { ...answer, status: answer.data.at(-1) };
    };
    const none = new Uint8Array(0);
    const sectors = (count: number, value: number) => new Uint8Array(count * 512).fill(value);
    const [ok, failed, unsupported] = [0, 1, 2];

    const config = new DataView((await driver.client.getConfig(0, 60)).buffer);
    expect([config.getBigUint64(0, true), config.getUint16(34, true)]).toEqual([8n, 2]);
    expect(await ask(0, 3n, none, 513)).toEqual({
      length: 513,
      data: Uint8Array.of(...sectors(1, 3), 0),
      status: ok,
    });
    expect(await ask(1, 6n, sectors(2, 9), 1)).toMatchObject({ length: 1, status: ok });
    expect(await ask(4, 0n, none, 1)).toMatchObject({ length: 1, status: ok });
    expect([...readFileSync(file)].slice(5 * 512)).toEqual([
      ...sectors(1, 5),
      ...sectors(2, 9),
      ...Array(100).fill(8),
    ]);
    const id = await ask(8, 0n, none, 21);
    expect([id.status, new TextDecoder().decode(id.data.subarray(0, 5))]).toEqual([ok, 'disk\0']);

    // Out of range, by one sector and by far; parts of sectors; wrong sizes; unknown types; too short for a header.
    for (const [type, sector, data, room] of [
      [0, 8n, none, 513],
      [0, 7n, none, 1025],
      [0, (1n << 64n) - 1n, none, 513],
      [0, 0n, none, 512],
      [1, 8n, sectors(1, 1), 1],
      [1, (1n << 55n) - 1n, sectors(2, 1), 1],
      [1, 0n, new Uint8Array(511), 1],
      [8, 0n, none, 20],
    ] as const) {
      expect((await ask(type, sector, data, room)).status, `${type} ${sector} ${room}`).toBe(failed);
    }
    expect((await ask(99, 0n, none, 1)).status).toBe(unsupported);
    expect((await driver.request(new Uint8Array(15), 1)).data).toEqual(Uint8Array.of(failed));
    expect((await driver.request(new Uint8Array(16), 0)).length).toBe(0);
    expect((await ask(0, 7n, none, 513)).status).toBe(ok);
    await driver.close();
    child.signal('SIGINT');
    await expectGoodEnd(child);
    expect(child.text).not.toMatch(/failed|broken/);
  });

  it('custom-driver loses every tenth packet under testpmd', { timeout: 60 * SECONDS }, async () => {
    const driver = join(repoRoot, 'examples/dist/custom-driver.js');
    const child = start(
      'packages/testpmd/bin/testpmd.mjs',
      '-d',
      driver,
      '--vdev',
      'net_lossy0,drop=10',
      '--',
      '-i',
    );
    // 32 packets go round until each is the tenth once: 320 are sent, 288 of them come back.
    child.write('start tx_first\n');
    await waitUntil('the last packet to be lost', 30 * SECONDS, () => {
      child.write('show port stats 0\n');
      return /RX-packets: 288 .*\n(?:.*\n){2} *TX-packets: 320 /.test(child.text);
    });
    child.write('stop\nquit\n');
    await expectGoodEnd(child);
    expect(child.text).not.toMatch(/mbufs are in use/);
  });
});
