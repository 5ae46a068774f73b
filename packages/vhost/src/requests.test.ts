/** A71: devices that are no network cards. Requests, configuration space and rings of one's own over a real socket, with a fake driver. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { native } from '@pollwire/native';
import { RequestFrontend } from '@pollwire/testkit';
import { Feature, protocolFeatureNames } from '@pollwire/vhost-user';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { VhostOptions, VringRequest } from './index.js';
import { RING_FEATURES, VhostSocket } from './index.js';
import { MAX_IN_FLIGHT } from './request-queue.js';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);

let dir: string;
let path: string;
let sockets: VhostSocket[];
let frontends: RequestFrontend[];
let problems: string[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pw-requests-'));
  path = join(dir, 's');
  sockets = [];
  frontends = [];
  problems = [];
});
afterEach(async () => {
  for (const frontend of frontends) await frontend.close();
  for (const socket of sockets) await socket.close();
  rmSync(dir, { recursive: true });
});

function serve(options: Partial<VhostOptions>): VhostSocket {
  const socket = new VhostSocket(path, { device: 'other', features: RING_FEATURES, ...options });
  socket.on('problem', (problem) => problems.push(problem));
  sockets.push(socket);
  return socket.start();
}

async function connect(options = {}): Promise<RequestFrontend> {
  const frontend = await RequestFrontend.connect(path, options);
  frontends.push(frontend);
  return frontend;
}

/** Answers with what it was sent, in capitals. */
const shout = (request: VringRequest): void => {
  const answer = bytes(text(request.bytes()).toUpperCase());
  request.complete(request.write(0, answer));
};

describe('requests (A71)', () => {
  it('are read and answered on every ring, and calls signalled', async () => {
    serve({ rings: 3, request: shout });
    const driver = await connect({ rings: 3 });
    for (const ring of [0, 1, 2, 2, 1, 0]) {
      const { length, data } = await driver.request(bytes(`ring ${ring}`), 16, ring);
      expect(length).toBe(6);
      expect(text(data.subarray(0, length))).toBe(`RING ${ring}`);
    }
    expect(driver.calls.map((fd) => native.eventfdRead(fd) > 0)).toEqual([true, true, true]);
    expect(problems).toEqual([]);
  });

  it('may be answered later and in another order', async () => {
    const held: VringRequest[] = [];
    serve({ request: (request) => void held.push(request) });
    const driver = await connect();
    const answers = ['a', 'b', 'c'].map((letter) => driver.request(bytes(letter), 1));
    await vi.waitFor(() => expect(held).toHaveLength(3));
    const order: string[] = [];
    answers.forEach((answer, i) => void answer.then(() => order.push('abc'.charAt(i))));
    for (const i of [2, 0, 1]) {
      shout(held[i] as VringRequest);
      await answers[i];
    }
    expect(order).toEqual(['c', 'a', 'b']);
    expect(held[0]?.open).toBe(false);
    // Handed back: nothing of them is there any more, and a second answer is none.
    expect(held[0]?.read(0, new Uint8Array(1))).toBe(0);
    held[0]?.complete(1);
  });

  it('are copied within bounds', async () => {
    const seen: unknown[] = [];
    serve({
      request: (request) => {
        seen.push(request.readable, request.writable, text(request.bytes(2, 3)), request.bytes(9).length);
        seen.push(request.write(3, bytes('12345')), request.write(5, bytes('1')));
        expect(() => request.bytes(0, 6, 5)).toThrow(/a copy of 6 bytes; at most 5/);
        request.complete(1000);
      },
    });
    const { length, data } = await (await connect()).request(bytes('0123456789'), 5);
    expect(seen).toEqual([10, 5, '234', 1, 2, 0]);
    expect(length).toBe(5);
    expect([...data]).toEqual([0, 0, 0, 0x31, 0x32]);
    expect(problems).toEqual([]);
  });

  it('of a handler that throws or rejects are answered empty, and said', async () => {
    let count = 0;
    serve({
      request: (request) => {
        count++;
        if (count === 1) throw new Error('no disk');
        if (count === 2) return Promise.reject(new Error('no file'));
        shout(request);
        return undefined;
      },
    });
    const driver = await connect();
    expect((await driver.request(bytes('x'), 4)).length).toBe(0);
    expect((await driver.request(bytes('x'), 4)).length).toBe(0);
    expect((await driver.request(bytes('x'), 4)).length).toBe(1);
    expect(problems).toEqual([
      `${path}: ring 0: the request handler failed: no disk`,
      `${path}: ring 0: the request handler failed: no file`,
    ]);
  });

  it('that break the rules never reach the handler', async () => {
    const seen: number[] = [];
    serve({
      request: (request) => {
        seen.push(request.readable);
        request.complete(0);
      },
    });
    const driver = await connect();
    const ring = driver.rings[0];
    const at = driver.memory.alloc(64);
    const far = { offset: driver.memory.bytes - 4, length: 64 };
    const used = () => driver.memory.view.getUint16((ring?.used ?? 0) + 2, true);
    const first = used();
    for (const chain of [
      [far],
      [
        { offset: at, length: 4, writable: true },
        { offset: at, length: 4 },
      ],
    ]) {
      expect(ring?.post(chain)).toBe(true);
    }
    ring?.publish();
    native.eventfdSignal(driver.kicks[0] as number);
    await vi.waitFor(() => expect((used() - first) & 0xffff).toBe(2));
    await driver.request(bytes('good'), 0);
    expect(seen).toEqual([4]);
    const stats = native.vhostChainStats(sockets[0]?.device?.id ?? -1, 0);
    expect(stats).toMatchObject({ badChains: 1n, badAddresses: 1n, taken: 1n, completed: 1n });
  });

  it('are bounded in number; the others wait in the ring', async () => {
    const held: VringRequest[] = [];
    serve({ request: (request) => void held.push(request) });
    const driver = await connect({ ringSize: 512 });
    const answers = Array.from({ length: MAX_IN_FLIGHT + 50 }, () => driver.request(bytes('x'), 1));
    await vi.waitFor(() => expect(held).toHaveLength(MAX_IN_FLIGHT));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(held).toHaveLength(MAX_IN_FLIGHT);
    let done = 0;
    const answerAll = setInterval(() => {
      while (done < held.length) shout(held[done++] as VringRequest);
    }, 1);
    await Promise.all(answers);
    clearInterval(answerAll);
    expect(held).toHaveLength(answers.length);
  });

  it('that are out when the ring stops are answered first (A101)', async () => {
    const held: VringRequest[] = [];
    serve({ request: (request) => void held.push(request) });
    const driver = await connect();
    const answer = driver.request(bytes('slow'), 8);
    await vi.waitFor(() => expect(held).toHaveLength(1));
    let stopped = false;
    const stop = driver.stop().then((bases) => {
      stopped = true;
      return bases;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(stopped).toBe(false);
    shout(held[0] as VringRequest);
    expect((await answer).length).toBe(4);
    expect((await stop).get(0)).toBe(65_531);
    // And on it goes from there.
    await driver.start(await stop);
    const next = driver.request(bytes('next'), 8);
    await vi.waitFor(() => expect(held).toHaveLength(2));
    shout(held[1] as VringRequest);
    expect((await next).length).toBe(4);
  });

  it('that are out when the front-end goes are abandoned', async () => {
    const held: VringRequest[] = [];
    const socket = serve({ request: (request) => void held.push(request) });
    const driver = await connect();
    void driver.request(bytes('x'), 1);
    await vi.waitFor(() => expect(held).toHaveLength(1));
    await frontends.pop()?.close();
    await vi.waitFor(() => expect(socket.device).toBeUndefined());
    expect(held[0]?.open).toBe(false);
    expect(held[0]?.write(0, bytes('y'))).toBe(0);
    held[0]?.complete(1);
    expect(driver.client.open).toBe(false);
  });

  it('of a driver that does not kick are looked for', async () => {
    serve({ request: shout });
    const driver = await connect();
    await driver.stop();
    await driver.client.setVringKick(0, undefined);
    await driver.client.setVringCall(0, driver.calls[0]);
    await driver.client.setVringEnable(0, true);
    expect((await driver.request(bytes('polled'), 8)).length).toBe(6);
  });
});

describe('configuration space (A71, B.1 rows 24 and 25)', () => {
  it('is read and written in parts, and bounded', async () => {
    const space = bytes('0123456789');
    const written: string[] = [];
    serve({
      config: {
        read: () => space,
        write: (offset, data) => {
          if (data[0] === 0x21) return false;
          written.push(`${offset} ${text(data)}`);
          space.set(data, offset);
          return true;
        },
      },
    });
    const driver = await connect();
    expect(protocolFeatureNames(driver.negotiated.protocolFeatures)).toContain('CONFIG');
    expect(text(await driver.client.getConfig(2, 4))).toBe('2345');
    expect([...(await driver.client.getConfig(8, 4))]).toEqual([0x38, 0x39, 0, 0]);
    await driver.client.setConfig(3, bytes('xyz'));
    expect(text(await driver.client.getConfig(0, 10))).toBe('012xyz6789');
    await expect(driver.client.setConfig(8, bytes('abc'))).rejects.toThrow(/SET_CONFIG/);
    await expect(driver.client.setConfig(0, bytes('!'))).rejects.toThrow(/SET_CONFIG/);
    expect(written).toEqual(['3 xyz']);
    expect(problems.join('\n')).toMatch(/3 bytes at offset 8; the configuration space has 10/);
  });

  it('is not offered when there is none, nor is what only network cards have', async () => {
    serve({});
    const driver = await connect();
    const names = protocolFeatureNames(driver.negotiated.protocolFeatures);
    expect(names).toContain('MQ');
    for (const absent of ['CONFIG', 'NET_MTU', 'RARP']) expect(names).not.toContain(absent);
  });

  it('answers GET_QUEUE_NUM with the rings', async () => {
    serve({ rings: 5 });
    const driver = await connect({ rings: 5 });
    expect(await driver.client.getQueueNum()).toBe(5);
  });
});

describe('options of other devices', () => {
  it.each([
    [{ device: 'other' as const }, /needs features/],
    [{ device: 'other' as const, features: 0n, rings: 257 }, /257 rings: give a whole number from 1 to 256/],
    [{ device: 'other' as const, features: 0n, queuePairs: 2 }, /Leave out queuePairs/],
    [{ rings: 2 }, /Leave out rings/],
    [{ request: shout }, /Leave out request/],
    [{ device: 'other' as const, features: Feature.VIRTIO_F_IN_ORDER }, /VIRTIO_F_IN_ORDER/],
  ])('%o is refused', (options, message) => {
    expect(() => new VhostSocket(path, options)).toThrow(message);
  });
});
