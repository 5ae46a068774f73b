/** Framing, descriptors, turns, deadlines and the end of a connection, over a socket in memory. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CloseReason } from './close-reason.js';
import { encodeMessage, encodeRequest, FLAG_REPLY, VERSION } from './codec.js';
import { Connection } from './connection.js';
import type { ConnectionLimits } from './connection-limits.js';
import type { Frame } from './frame-reader.js';
import { FRONTEND_REQUESTS } from './messages.js';
import type { FdTable, MemorySocket } from './testing/memory-socket.js';
import { memorySocketPair } from './testing/memory-socket.js';
import { Random } from './testing/random.js';
import { SAMPLES } from './testing/samples.js';

interface Bench {
  connection: Connection;
  near: MemorySocket;
  far: MemorySocket;
  table: FdTable;
  frames: Frame[];
  reason: () => CloseReason | undefined;
}

function bench(
  limits: ConnectionLimits = {},
  onFrame: (frame: Frame) => void | Promise<void> = () => undefined,
  capacity = 64 * 1024,
): Bench {
  const [near, far] = memorySocketPair({ capacity });
  const frames: Frame[] = [];
  let closed: CloseReason | undefined;
  const receiver = {
    frame: (frame: Frame) => {
      frames.push(frame);
      return onFrame(frame);
    },
    closed: (reason: CloseReason) => {
      closed = reason;
    },
  };
  const connection = new Connection(near, 'frontend', 'request', receiver, limits);
  connection.start();
  return { connection, near, far, table: near.table, frames, reason: () => closed };
}

const num = encodeRequest(FRONTEND_REQUESTS.SET_VRING_NUM, { index: 1, num: 256 });
const get = encodeRequest(FRONTEND_REQUESTS.GET_FEATURES, undefined);
const kick = encodeRequest(FRONTEND_REQUESTS.SET_VRING_KICK, { index: 0, noFd: false });
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('framing', () => {
  it('takes a message cut at every byte', () => {
    for (let cut = 1; cut < num.length; cut += 1) {
      const { connection, far, frames } = bench();
      far.send(num.subarray(0, cut));
      expect(connection.poll()).toBe(0);
      far.send(num.subarray(cut));
      expect(connection.poll()).toBe(1);
      expect(frames[0]?.payload).toEqual(num.subarray(12));
    }
  });

  it('takes one message in one-byte writes, and ten messages in one write', () => {
    const { connection, far, frames } = bench();
    for (const byte of num) {
      far.send(Uint8Array.of(byte));
      connection.poll();
    }
    expect(frames).toHaveLength(1);
    far.send(Uint8Array.from(Array.from({ length: 10 }, () => [...num]).flat()));
    connection.poll();
    expect(frames).toHaveLength(11);
  });

  it('gives the same frames with any chunking, and each descriptor to its message', () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const random = new Random(seed);
      const { connection, far, frames, table } = bench({ messageBudget: 1000 });
      const expected: { bytes: Uint8Array; kinds: string[] }[] = [];
      for (let i = 0; i < 12; i += 1) {
        const bytes = random.pick([
          num,
          get,
          kick,
          encodeRequest(FRONTEND_REQUESTS.SET_VRING_ADDR, SAMPLES.vringAddr),
        ]);
        const kinds = bytes === kick ? [`eventfd ${i}`] : [];
        expected.push({ bytes, kinds });
        const fds = kinds.map((kind) => table.open(kind));
        for (let at = 0; at < bytes.length; ) {
          const length = 1 + random.below(bytes.length - at);
          far.send(bytes.subarray(at, at + length), at === 0 ? fds : []);
          at += length;
          if (random.below(2) === 0) {
            connection.poll();
          }
        }
      }
      const seen: { bytes: number[]; kinds: string[] }[] = [];
      connection.poll();
      for (const frame of frames) {
        seen.push({ bytes: [...frame.headerBytes, ...frame.payload], kinds: [] });
      }
      expect(
        seen.map((frame) => frame.bytes),
        `seed ${seed}`,
      ).toEqual(expected.map(({ bytes }) => [...bytes]));
      expect(
        frames.map((frame) => frame.fds.length),
        `seed ${seed}`,
      ).toEqual(expected.map(({ kinds }) => kinds.length));
    }
  });

  it('gives descriptors to the message that they came with', () => {
    const kinds: string[][] = [];
    const { connection, far, table, near } = bench({}, (frame) => {
      kinds.push(frame.fds.map((fd) => near.table.kind(fd.value)));
    });
    far.send(get);
    far.send(kick, [table.open('first')]);
    far.send(num);
    far.send(kick, [table.open('second')]);
    connection.poll();
    expect(kinds).toEqual([[], ['first'], [], ['second']]);
  });
});

describe('descriptors', () => {
  it('that nobody took are closed when the message is done', () => {
    const { connection, far, table } = bench();
    const fd = table.open();
    const before = table.openCount;
    far.send(kick, [fd]);
    connection.poll();
    expect(table.openCount).toBe(before);
  });

  it('that were taken stay open', () => {
    const { connection, far, table, frames } = bench({}, (frame) => {
      frame.fds[0]?.take();
    });
    far.send(kick, [table.open()]);
    connection.poll();
    expect(table.isOpen(frames[0]?.fds[0]?.value ?? -1)).toBe(true);
    expect(() => frames[0]?.fds[0]?.take()).toThrow('already taken');
  });

  it('in the middle of a message close the connection, and leak nothing', async () => {
    for (const cut of [1, 6, 11, 12, 16, 19]) {
      const { connection, far, table, reason } = bench();
      const fd = table.open();
      far.send(num.subarray(0, cut));
      far.send(num.subarray(cut), [fd]);
      table.close(fd);
      const expected = table.openCount - 2;
      connection.poll();
      await nextTurn();
      // Reading 12 header bytes at once hides where in them the descriptor came: it is then the message's.
      if (cut < 12) {
        expect(connection.open).toBe(true);
        connection.close({ code: 'VHOST_CLOSED', text: 'done', by: 'us' });
      } else {
        expect(reason()?.code).toBe('VHOST_STRAY_FDS');
      }
      expect(table.openCount).toBe(expected);
    }
  });

  it('over several writes of one message close the connection, and leak nothing', async () => {
    const { connection, far, table, reason } = bench();
    const before = table.openCount;
    const pair = [table.open(), table.open()] as const;
    far.send(num.subarray(0, 4), [pair[0]]);
    far.send(num.subarray(4), [pair[1]]);
    table.close(pair[0]);
    table.close(pair[1]);
    connection.poll();
    await nextTurn();
    expect(reason()?.code).toBe('VHOST_STRAY_FDS');
    expect(table.openCount).toBe(before - 1);
  });

  it('that were cut off close the connection with a hint at the limit', async () => {
    const [near, far] = memorySocketPair({ maxFds: 2 });
    const { table } = near;
    let reason: CloseReason | undefined;
    const receiver = {
      frame: () => undefined,
      closed: (why: CloseReason) => {
        reason = why;
      },
    };
    const connection = new Connection(near, 'frontend', 'request', receiver);
    connection.start();
    const fds = [table.open(), table.open(), table.open()];
    far.send(kick, fds);
    connection.poll();
    await nextTurn();
    expect(reason).toMatchObject({ code: 'VHOST_FDS_TRUNCATED' });
    expect(reason?.text).toContain('ulimit -n');
    expect(table.openCount).toBe(fds.length + 1);
  });

  it('of an unfinished message, of an unread one and of an unsent one are closed with the connection', () => {
    const { connection, far, table } = bench({}, undefined, 64);
    const given = [table.open(), table.open(), table.open()] as const;
    far.send(kick.subarray(0, 4), [given[0]]);
    connection.poll();
    far.send(Uint8Array.of(0));
    const ours = table.open();
    connection.send(new Uint8Array(100));
    connection.send(new Uint8Array(1), [{ fd: ours, close: true }]);
    connection.close({ code: 'VHOST_CLOSED', text: 'test', by: 'us' });
    expect(table.isOpen(ours)).toBe(false);
    expect(table.openCount).toBe(given.length + 1);
  });
});

describe('a stream that makes no sense closes', () => {
  it.each([
    ['version', encodeMessage(1, 2, new Uint8Array(0)), 'VHOST_BAD_VERSION'],
    ['reply flag', encodeMessage(1, VERSION | FLAG_REPLY, new Uint8Array(0)), 'VHOST_UNEXPECTED_REPLY'],
    ['reserved flags', encodeMessage(1, VERSION | 0x10, new Uint8Array(0)), 'VHOST_BAD_FLAGS'],
    ['size', Uint8Array.of(1, 0, 0, 0, 1, 0, 0, 0, 255, 255, 255, 255), 'VHOST_PAYLOAD_TOO_LARGE'],
  ])('%s', async (_what, bytes, code) => {
    const { connection, far, reason } = bench();
    far.send(bytes);
    connection.poll();
    await nextTurn();
    expect(reason()).toMatchObject({ code, by: 'us' });
    expect(connection.send(get)).toBe(false);
  });
});

describe('the end', () => {
  it('of the stream closes, with a word on an unfinished message', async () => {
    const whole = bench();
    whole.far.send(get);
    whole.far.close();
    whole.connection.poll();
    await nextTurn();
    expect(whole.frames).toHaveLength(1);
    expect(whole.reason()).toMatchObject({ code: 'VHOST_PEER_CLOSED', by: 'peer' });

    const cut = bench();
    cut.far.send(num.subarray(0, 15));
    cut.far.shutdownWrite();
    cut.connection.poll();
    await nextTurn();
    expect(cut.reason()?.text).toContain('3 of 8 payload bytes of SET_VRING_NUM');
  });

  it('comes when the peer cannot be written to any more', async () => {
    const { connection, far, reason } = bench();
    far.shutdownRead();
    expect(connection.send(get)).toBe(false);
    await nextTurn();
    expect(reason()).toMatchObject({ code: 'VHOST_PEER_CLOSED', by: 'peer' });
  });

  it('is told once, after the frame in hand', async () => {
    const log: string[] = [];
    let finish: () => void = () => undefined;
    const [near, far] = memorySocketPair();
    const receiver = {
      frame: () =>
        new Promise<void>((resolve) => {
          finish = () => {
            log.push('frame done');
            resolve();
          };
        }),
      closed: () => void log.push('closed'),
    };
    const connection = new Connection(near, 'frontend', 'request', receiver);
    connection.start();
    far.send(get);
    connection.poll();
    connection.close({ code: 'VHOST_CLOSED', text: 'now', by: 'us' });
    connection.close({ code: 'VHOST_CLOSED', text: 'again', by: 'us' });
    expect(near.isOpen).toBe(false);
    await nextTurn();
    expect(log).toEqual([]);
    finish();
    await nextTurn();
    expect(log).toEqual(['frame done', 'closed']);
    expect(connection.closeReason?.text).toBe('now');
  });

  it('comes when the receiver throws or rejects', async () => {
    for (const fail of [
      () => {
        throw new Error('boom');
      },
      () => Promise.reject(new Error('boom')),
    ]) {
      const { connection, far, reason } = bench({}, fail);
      far.send(get);
      connection.poll();
      await nextTurn();
      expect(reason()).toMatchObject({ code: 'VHOST_HANDLER_FAILED' });
      expect(reason()?.text).toContain('boom');
    }
  });
});

describe('turns', () => {
  it('handles one message at a time, in order, while a handler is busy', async () => {
    const log: string[] = [];
    const { connection, far } = bench({}, async (frame) => {
      log.push(`begin ${frame.header.request}`);
      await nextTurn();
      log.push(`end ${frame.header.request}`);
    });
    far.send(get);
    far.send(num);
    expect(connection.poll()).toBe(1);
    expect(connection.poll()).toBe(0);
    await vi.waitFor(() => expect(log).toHaveLength(4));
    expect(log).toEqual(['begin 1', 'end 1', 'begin 8', 'end 8']);
  });

  it('lets others run after each batch', async () => {
    const { connection, far, frames } = bench({ messageBudget: 4 });
    for (let i = 0; i < 10; i += 1) {
      far.send(get);
    }
    expect(connection.poll()).toBe(4);
    expect(frames).toHaveLength(4);
    await vi.waitFor(() => expect(frames).toHaveLength(10));
  });

  it('works by readiness alone', async () => {
    const { far, frames } = bench();
    far.send(num.subarray(0, 5));
    await nextTurn();
    far.send(num.subarray(5));
    await vi.waitFor(() => expect(frames).toHaveLength(1));
  });

  it('does not read on while the peer does not read its answers, and goes on when it does', async () => {
    const answer = new Uint8Array(100);
    const { connection, far, frames } = bench(
      { pauseReadingAbove: 200, messageBudget: 1000 },
      () => {
        connection.send(answer);
      },
      2048,
    );
    const flood = () => {
      while (far.send(get) === get.length) {
        // Until the socket is full.
      }
    };
    flood();
    connection.poll();
    expect(connection.pendingOutput).toBeLessThanOrEqual(300);
    const handled = frames.length;
    expect(connection.poll()).toBe(0);
    const sink = new Uint8Array(4096);
    await vi.waitFor(() => {
      far.receive(sink, []);
      expect(frames.length).toBeGreaterThan(handled + 20);
    });
    expect(connection.open).toBe(true);
  });

  it('closes when too much output waits', async () => {
    const { connection, reason } = bench({ maxOutput: 1000 }, undefined, 64);
    while (connection.send(new Uint8Array(100))) {
      expect(connection.pendingOutput).toBeLessThanOrEqual(1000);
    }
    await nextTurn();
    expect(reason()?.code).toBe('VHOST_PEER_NOT_READING');
  });
});

describe('deadlines', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  it('for the first message', async () => {
    const silent = bench({ handshakeTimeout: 100 });
    const served = bench({ handshakeTimeout: 100 });
    served.far.send(get);
    served.connection.poll();
    vi.advanceTimersByTime(101);
    await nextTurn();
    expect(silent.reason()?.code).toBe('VHOST_HANDSHAKE_TIMEOUT');
    vi.advanceTimersByTime(100_000);
    expect(served.connection.open).toBe(true);
  });

  it('for the rest of a message, which a drip of bytes does not extend', async () => {
    const { connection, far, reason } = bench({ partialTimeout: 100, handshakeTimeout: 0 });
    for (const byte of num.subarray(0, 10)) {
      far.send(Uint8Array.of(byte));
      connection.poll();
      vi.advanceTimersByTime(11);
    }
    await nextTurn();
    expect(reason()?.code).toBe('VHOST_PARTIAL_MESSAGE');
  });

  it('which ends with the message', () => {
    const { connection, far } = bench({ partialTimeout: 100, handshakeTimeout: 0 });
    far.send(num.subarray(0, 4));
    connection.poll();
    vi.advanceTimersByTime(99);
    far.send(num.subarray(4));
    connection.poll();
    vi.advanceTimersByTime(10_000);
    expect(connection.open).toBe(true);
  });

  it('for a peer that does not read, which every byte extends', async () => {
    const { connection, far, reason } = bench({ writeTimeout: 100, handshakeTimeout: 0 }, undefined, 64);
    connection.send(new Uint8Array(1000));
    for (let i = 0; i < 5; i += 1) {
      vi.advanceTimersByTime(90);
      far.receive(new Uint8Array(10), []);
      await nextTurn();
      await nextTurn();
    }
    expect(connection.open).toBe(true);
    vi.advanceTimersByTime(101);
    await nextTurn();
    expect(reason()?.code).toBe('VHOST_PEER_NOT_READING');
  });
});
