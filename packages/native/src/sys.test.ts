import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { native } from './load.js';
import * as sys from './sys.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pollwire-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const text = (received: { bytes: number }, buffer: Uint8Array) =>
  Buffer.from(buffer.subarray(0, received.bytes)).toString();

describe('socket paths', () => {
  it.each([
    ['', 'The socket path is empty; give a file name.'],
    ['a\0b', 'The socket path holds a NUL byte; remove it.'],
    ['x'.repeat(108), 'has 108 bytes; 107 is the limit of the kernel'],
    ['ä'.repeat(54), 'has 108 bytes'],
  ])('refuse %j', (path, why) => {
    expect(() => sys.checkSocketPath(path)).toThrow(
      expect.objectContaining({ code: 'SOCKET_PATH', message: expect.stringContaining(why) }),
    );
  });

  it('may have 107 bytes', () => {
    expect(() => sys.checkSocketPath('x'.repeat(107))).not.toThrow();
  });
});

it('carries bytes and descriptors over a listening socket', () => {
  const path = join(directory, 's');
  const server = sys.listenUnix(path);
  const client = sys.connectUnix(path);
  const peer = sys.acceptUnix(server);
  const event = native.eventfdCreate();
  expect(sys.send(client, Buffer.from('hello'), [event])).toBe(5);
  const buffer = new Uint8Array(64);
  const got = sys.receive(peer, buffer);
  expect([text(got, buffer), got.fds.length]).toEqual(['hello', 1]);
  native.eventfdSignal(got.fds[0] as number);
  expect(native.eventfdRead(event)).toBe(1);
  expect(sys.receive(peer, buffer)).toEqual({ bytes: -1, fds: [] });
  sys.close(client);
  expect(sys.receive(peer, buffer).bytes).toBe(0);
  sys.closeAll([...got.fds, event, peer, server]);
});

it('accepts nothing when nobody waits', () => {
  const server = sys.listenUnix(join(directory, 's'));
  expect(sys.acceptUnix(server)).toBe(-1);
  sys.close(server);
});

it('says who is to blame when nobody listens', () => {
  expect(() => sys.connectUnix(join(directory, 'nobody'))).toThrow(
    expect.objectContaining({ code: 'NOT_FOUND' }),
  );
});

describe('watches', () => {
  it('report readiness until they are closed', async () => {
    const [a, b] = sys.socketPair();
    const buffer = new Uint8Array(16);
    const first = await new Promise<{ events: number; got: string }>((resolve) => {
      const watch = sys.watch(b, sys.Ready.READABLE, (events) => {
        watch.close();
        watch.close();
        resolve({ events: events & sys.Ready.READABLE, got: text(sys.receive(b, buffer), buffer) });
      });
      sys.send(a, Buffer.from('ping'));
    });
    expect(first).toEqual({ events: sys.Ready.READABLE, got: 'ping' });
    sys.closeAll([a, b]);
  });

  it('report the hang-up of the peer', async () => {
    const [a, b] = sys.socketPair();
    const events = await new Promise<number>((resolve) => {
      const watch = sys.watch(b, sys.Ready.READABLE, (mask) => {
        watch.close();
        resolve(mask);
      });
      sys.close(a);
    });
    expect(events & (sys.Ready.HANGUP | sys.Ready.READABLE)).not.toBe(0);
    sys.close(b);
  });

  it('report nothing after close, also for what was ready already', async () => {
    const [a, b] = sys.socketPair();
    let reports = 0;
    const watch = sys.watch(b, sys.Ready.READABLE, () => reports++);
    sys.send(a, Buffer.from('x'));
    watch.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(reports).toBe(0);
    sys.closeAll([a, b]);
  });

  it('can be changed to writability', async () => {
    const [a, b] = sys.socketPair();
    const events = await new Promise<number>((resolve) => {
      const watch = sys.watch(a, sys.Ready.READABLE, (mask) => {
        watch.close();
        resolve(mask);
      });
      watch.modify(sys.Ready.WRITABLE);
    });
    expect(events & sys.Ready.WRITABLE).toBe(sys.Ready.WRITABLE);
    sys.closeAll([a, b]);
  });
});
