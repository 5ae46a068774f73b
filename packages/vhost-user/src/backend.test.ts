/** A back-end session as its front-end sees it: built-in answers, acks, refusals, descriptors, vrings. Rows A42, A95 of docs/vhost.md. */
import { describe, expect, it } from 'vitest';
import type { BackendHandler } from './backend-handler.js';
import { encodeMessage, encodeRequest, VERSION } from './codec.js';
import { Feature } from './features.js';
import type { FrontendRequestName, MessageRow } from './messages.js';
import { FRONTEND_REQUESTS } from './messages.js';
import type { PayloadKind } from './payloads.js';
import { ProtocolFeature } from './protocol-features.js';
import { backendBench, NET_FEATURES, negotiateRaw } from './testing/backend-bench.js';
import { Random } from './testing/random.js';
import { REGION, SAMPLES, sampleFdCount } from './testing/samples.js';

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));
const EVERYTHING = 0x1ffffn & ~ProtocolFeature.CRYPTO_SESSION & ~ProtocolFeature.CROSS_ENDIAN;

describe('built-in answers', () => {
  it('need no device', () => {
    const bench = backendBench({ vringCount: 8, maxMemorySlots: 64 });
    bench.peer.send('GET_FEATURES', undefined);
    bench.peer.send('GET_PROTOCOL_FEATURES', undefined);
    bench.peer.send('SET_PROTOCOL_FEATURES', 0x18c3fn);
    bench.peer.send('GET_QUEUE_NUM', undefined);
    bench.peer.send('GET_MAX_MEM_SLOTS', undefined);
    bench.peer.send('GET_STATUS', undefined);
    const replies = bench.exchange();
    expect(replies.map(({ name, u64 }) => [name, u64])).toEqual([
      ['GET_FEATURES', NET_FEATURES | Feature.VIRTIO_F_ACCESS_PLATFORM],
      ['GET_PROTOCOL_FEATURES', EVERYTHING],
      ['GET_QUEUE_NUM', 4n],
      ['GET_MAX_MEM_SLOTS', 64n],
      ['GET_STATUS', 0n],
    ]);
    expect(replies.every((reply) => reply.flags === 5)).toBe(true);
  });

  it('answer the number of queues that was configured', () => {
    const bench = backendBench({ vringCount: 3, queueNum: 1 });
    negotiateRaw(bench, ProtocolFeature.MQ);
    bench.peer.send('GET_QUEUE_NUM', undefined);
    expect(bench.exchange()).toMatchObject([{ u64: 1n }]);
  });

  it('offer only what the device has methods for', () => {
    const small: BackendHandler = {
      setFeatures: () => undefined,
      setMemoryTable: () => undefined,
      setVringNum: () => undefined,
      setVringAddr: () => undefined,
      setVringBase: () => undefined,
      getVringBase: () => 0,
      setVringKick: () => undefined,
      setVringCall: () => undefined,
      setVringEnable: () => undefined,
    };
    expect(backendBench({}, () => small).session.offeredProtocolFeatures).toBe(
      ProtocolFeature.MQ | ProtocolFeature.REPLY_ACK,
    );
    const mtu = backendBench({}, () => ({ ...small, setMtu: () => undefined }));
    expect(mtu.session.offeredProtocolFeatures & ProtocolFeature.NET_MTU).not.toBe(0n);
    const masked = backendBench({ protocolFeatures: ProtocolFeature.REPLY_ACK });
    expect(masked.session.offeredProtocolFeatures).toBe(ProtocolFeature.REPLY_ACK);
    const crypto = backendBench({ extraProtocolFeatures: ProtocolFeature.CRYPTO_SESSION });
    expect(crypto.session.offeredProtocolFeatures).toBe(EVERYTHING | ProtocolFeature.CRYPTO_SESSION);
  });
});

describe('acks', () => {
  it('are sent when asked for, from SET_PROTOCOL_FEATURES on', () => {
    const bench = backendBench();
    bench.peer.send('GET_FEATURES', undefined);
    bench.peer.send('SET_OWNER', undefined, { needReply: true });
    expect(bench.exchange().map((reply) => reply.name)).toEqual(['GET_FEATURES']);
    bench.peer.send('SET_PROTOCOL_FEATURES', ProtocolFeature.REPLY_ACK, { needReply: true });
    bench.peer.send('SET_VRING_CALL', { index: 0, noFd: true }, { needReply: true });
    bench.peer.send('SET_VRING_CALL', { index: 0, noFd: true });
    expect(bench.exchange().map(({ name, u64, flags }) => [name, u64, flags])).toEqual([
      ['SET_PROTOCOL_FEATURES', 0n, 5],
      ['SET_VRING_CALL', 0n, 5],
    ]);
  });

  it('do not change messages that have a reply of their own', () => {
    const bench = backendBench();
    negotiateRaw(bench);
    bench.peer.send('GET_FEATURES', undefined, { needReply: true });
    expect(bench.exchange()).toHaveLength(1);
  });

  it('become NACKs, and the connection lives', () => {
    const bench = backendBench();
    negotiateRaw(bench, EVERYTHING);
    bench.peer.send('NET_SET_MTU', 67n, { needReply: true });
    bench.peer.send('NET_SET_MTU', 1500n, { needReply: true });
    expect(bench.exchange().map((reply) => reply.u64)).toEqual([1n, 0n]);
    expect(bench.session.open).toBe(true);
    expect(bench.device.names).not.toContain('connectionClosed');
  });

  it('without being asked for, a refusal closes', async () => {
    const bench = backendBench();
    negotiateRaw(bench, EVERYTHING);
    bench.peer.send('NET_SET_MTU', 67n);
    bench.exchange();
    await nextTurn();
    expect(bench.device.closedWith).toMatchObject({
      code: 'VHOST_BAD_FIELD',
      message: 'NET_SET_MTU',
      by: 'us',
    });
    expect(bench.device.closedWith?.text).toContain('67');
  });

  it('without REPLY_ACK, a refusal closes even if asked for', () => {
    const bench = backendBench();
    negotiateRaw(bench, ProtocolFeature.NET_MTU);
    bench.peer.send('NET_SET_MTU', 67n, { needReply: true });
    expect(bench.exchange()).toEqual([]);
    expect(bench.session.open).toBe(false);
  });

  it('a device that refuses a memory table gets a NACK out before the close', () => {
    const bench = backendBench();
    negotiateRaw(bench);
    bench.device.refusing.add('setMemoryTable');
    bench.peer.send('SET_MEM_TABLE', [REGION], { needReply: true, fds: 1 });
    expect(bench.exchange()).toMatchObject([{ name: 'SET_MEM_TABLE', u64: 1n }]);
    expect(bench.session.open).toBe(false);
  });
});

describe('unknown and unsupported messages', () => {
  it.each([0, 45, 0x7fff_ffff, 0xffff_ffff])('%i: NACK if asked, else close', (id) => {
    const bench = backendBench();
    negotiateRaw(bench);
    bench.peer.sendRaw(id, new Uint8Array(24), { needReply: true, fds: 2 });
    expect(bench.exchange()).toMatchObject([{ request: id, u64: 1n }]);
    expect(bench.session.open).toBe(true);
    bench.peer.sendRaw(id, new Uint8Array(24), { fds: 2 });
    bench.exchange();
    expect(bench.session.closeReason?.code).toBe('VHOST_UNKNOWN_REQUEST');
    expect(bench.leaked()).toBe(0);
  });

  it('GPU_SET_SOCKET is nobody’s here', () => {
    const bench = backendBench();
    negotiateRaw(bench);
    bench.peer.send('GPU_SET_SOCKET', undefined, { fds: 1 });
    bench.exchange();
    expect(bench.session.closeReason?.code).toBe('VHOST_NOT_SUPPORTED');
    expect(bench.leaked()).toBe(0);
  });
});

describe('descriptors', () => {
  it('of any refused or rejected message are closed', () => {
    for (const [name, row] of Object.entries(FRONTEND_REQUESTS) as [FrontendRequestName, MessageRow][]) {
      for (const extra of [0, 1, 3, 60]) {
        const bench = backendBench({ protocolFeatures: 0n });
        const count = sampleFdCount(row) + extra;
        bench.peer.send(name, SAMPLES[row.payload as PayloadKind] as never, { fds: count });
        bench.exchange();
        bench.session.close();
        expect(bench.leaked(), `${name} with ${count} descriptors`).toBe(0);
      }
    }
  });

  it('of random message sequences never leak', async () => {
    const rows = Object.values(FRONTEND_REQUESTS) as [MessageRow, ...MessageRow[]];
    for (let seed = 1; seed <= 150; seed += 1) {
      const random = new Random(seed);
      const bench = backendBench();
      negotiateRaw(bench, EVERYTHING, Feature.VHOST_USER_F_PROTOCOL_FEATURES);
      for (let i = 0; i < 30 && bench.session.open; i += 1) {
        const row = random.pick(rows);
        const sample = SAMPLES[row.payload as PayloadKind] as never;
        const wrong = random.below(8) === 0 ? random.below(4) : 0;
        const needReply = random.below(4) !== 0;
        const payload = encodeRequest(row, sample, needReply);
        if (random.below(6) === 0) {
          payload[12 + random.below(Math.max(1, payload.length - 12))] = random.below(256);
        }
        bench.peer.sendBytes(payload, sampleFdCount(row) + wrong);
        for (const frame of bench.exchange()) {
          for (const fd of frame.fds) {
            bench.table.close(fd);
          }
        }
      }
      bench.session.close();
      await nextTurn();
      expect(bench.leaked(), `seed ${seed}`).toBe(0);
    }
  });
});

describe('vrings', () => {
  it('start disabled with protocol features, and the device hears of changes only', () => {
    const bench = backendBench();
    negotiateRaw(bench);
    bench.peer.send('SET_VRING_KICK', { index: 1, noFd: true });
    for (const num of [0, 1, 1, 1, 0, 0]) {
      bench.peer.send('SET_VRING_ENABLE', { index: 1, num }, { needReply: true });
    }
    expect(bench.exchange()).toHaveLength(6);
    expect(bench.device.calls.filter(([name]) => name === 'setVringEnable')).toEqual([
      ['setVringEnable', 1, true],
      ['setVringEnable', 1, false],
    ]);
  });

  it('start enabled without protocol features', () => {
    const bench = backendBench();
    bench.peer.send('GET_FEATURES', undefined);
    bench.peer.send('SET_FEATURES', Feature.VIRTIO_F_VERSION_1);
    bench.peer.send('SET_VRING_KICK', { index: 1, noFd: true });
    bench.exchange();
    expect(bench.device.names).toEqual(['setFeatures', 'setVringEnable', 'setVringKick']);
    expect(bench.session.ringEnabled(1)).toBe(true);
    expect(bench.session.rings[1]).toMatchObject({ started: true, kick: 'poll', call: 'unset' });
  });

  it('may be enabled before SET_FEATURES, as QEMU does', () => {
    const bench = backendBench();
    bench.peer.send('GET_FEATURES', undefined);
    bench.peer.send('SET_PROTOCOL_FEATURES', ProtocolFeature.REPLY_ACK);
    bench.peer.send('SET_VRING_ENABLE', { index: 0, num: 1 });
    bench.peer.send('SET_FEATURES', Feature.VHOST_USER_F_PROTOCOL_FEATURES);
    bench.exchange();
    expect(bench.session.open).toBe(true);
    expect(bench.session.ringEnabled(0)).toBe(true);
    expect(bench.session.ringEnabled(1)).toBe(false);
  });

  it('stop with GET_VRING_BASE, which answers where the device stands', () => {
    const bench = backendBench();
    negotiateRaw(bench);
    bench.device.bases.set(2, 0xffff);
    bench.peer.send('SET_VRING_KICK', { index: 2, noFd: false }, { fds: 1 });
    bench.peer.send('SET_VRING_CALL', { index: 2, noFd: false }, { fds: 1 });
    bench.peer.send('GET_VRING_BASE', { index: 2, num: 0 });
    const [reply] = bench.exchange();
    expect(reply?.name).toBe('GET_VRING_BASE');
    expect([...new Uint32Array(reply?.payload.buffer ?? new ArrayBuffer(0))]).toEqual([2, 0xffff]);
    expect(bench.session.rings[2]).toMatchObject({
      started: false,
      base: 0xffff,
      kick: 'unset',
      call: 'unset',
    });
  });

  it('forget size and addresses when the layout changes', () => {
    const bench = backendBench();
    negotiateRaw(bench);
    bench.peer.send('SET_VRING_NUM', { index: 0, num: 256 });
    bench.peer.send('SET_VRING_ADDR', { ...SAMPLES.vringAddr, index: 0 });
    bench.exchange();
    expect(bench.session.rings[0]).toMatchObject({ size: 256 });
    bench.peer.send('SET_FEATURES', Feature.VHOST_USER_F_PROTOCOL_FEATURES | Feature.VIRTIO_F_RING_PACKED);
    bench.exchange();
    expect(bench.session.rings[0]).toMatchObject({ size: 0, addr: undefined });
    expect(bench.device.calls.findLast(([name]) => name === 'setFeatures')?.[1]).toMatchObject({
      layoutChanged: true,
    });
  });

  it('get a base of 16 bits when split, of 32 when packed', () => {
    for (const [features, expected] of [
      [0n, 5],
      [Feature.VIRTIO_F_RING_PACKED, 0x8000_0005],
    ] as const) {
      const bench = backendBench();
      negotiateRaw(bench, ProtocolFeature.REPLY_ACK, Feature.VHOST_USER_F_PROTOCOL_FEATURES | features);
      bench.peer.send('SET_VRING_BASE', { index: 0, num: 0x8000_0005 });
      bench.exchange();
      expect(bench.device.calls).toContainEqual(['setVringBase', 0, expected]);
    }
  });

  it('are all disabled by RESET_OWNER', () => {
    const bench = backendBench();
    negotiateRaw(bench);
    for (const index of [0, 1, 2]) {
      bench.peer.send('SET_VRING_ENABLE', { index, num: 1 });
    }
    bench.peer.send('RESET_OWNER', undefined);
    bench.exchange();
    expect(bench.device.names.slice(-4)).toEqual([
      'setVringEnable',
      'setVringEnable',
      'setVringEnable',
      'resetOwner',
    ]);
    expect(bench.session.owned).toBe(false);
    expect(bench.session.rings.some((ring) => ring.enabled)).toBe(false);
  });
});

describe('the options', () => {
  it('bound the vring count', () => {
    for (const vringCount of [0, 257, Number.NaN]) {
      expect(() => backendBench({ vringCount })).toThrow(RangeError);
    }
  });
});

describe('a peer that sends what it likes', () => {
  it('cannot make the session throw', () => {
    for (let seed = 1; seed <= 200; seed += 1) {
      const random = new Random(seed);
      const bench = backendBench();
      negotiateRaw(bench, EVERYTHING);
      for (let i = 0; i < 20 && bench.session.open; i += 1) {
        const payload = random.bytes(random.pick([0, 8, 16, 24, 32, 40, 72, random.below(300)]));
        bench.peer.sendBytes(encodeMessage(random.below(50), VERSION | 8, payload), random.below(3));
        bench.exchange();
      }
      const { code } = bench.session.closeReason ?? { code: 'open' };
      expect(code, `seed ${seed}: ${bench.session.closeReason?.text}`).not.toBe('VHOST_HANDLER_FAILED');
    }
  });
});
