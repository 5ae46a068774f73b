/** What single messages do to a session: features, own replies, memory slots, status. */
import { describe, expect, it } from 'vitest';
import { Feature } from './features.js';
import { FRONTEND_REQUESTS } from './messages.js';
import { ProtocolFeature } from './protocol-features.js';
import { backendBench, NET_FEATURES, negotiateRaw } from './testing/backend-bench.js';
import { REGION, SAMPLES } from './testing/samples.js';

const EVERYTHING = 0x1ffffn & ~ProtocolFeature.CRYPTO_SESSION & ~ProtocolFeature.CROSS_ENDIAN;

describe('features', () => {
  it('reach the device without dependent offloads whose base is missing', () => {
    const bench = backendBench({ features: NET_FEATURES });
    const acked =
      Feature.VIRTIO_NET_F_GUEST_TSO4 | Feature.VIRTIO_NET_F_MQ | Feature.VHOST_USER_F_PROTOCOL_FEATURES;
    negotiateRaw(bench, ProtocolFeature.REPLY_ACK, acked);
    const features = Feature.VIRTIO_NET_F_MQ | Feature.VHOST_USER_F_PROTOCOL_FEATURES;
    expect(bench.device.calls).toContainEqual([
      'setFeatures',
      { acked, features, previous: 0n, layoutChanged: false },
    ]);
    expect(bench.session.features).toBe(features);
  });

  it('of another device type are not masked', () => {
    const bench = backendBench({ features: 0x4000_00ffn, device: 'other' });
    negotiateRaw(bench, ProtocolFeature.REPLY_ACK, 0x4000_0080n);
    expect(bench.session.features).toBe(0x4000_0080n);
  });

  it('that were not offered are refused', () => {
    const bench = backendBench({ features: Feature.VHOST_USER_F_PROTOCOL_FEATURES });
    negotiateRaw(
      bench,
      ProtocolFeature.REPLY_ACK,
      Feature.VHOST_USER_F_PROTOCOL_FEATURES | Feature.VIRTIO_F_VERSION_1,
    );
    expect(bench.session.closeReason).toMatchObject({ code: 'VHOST_BAD_FEATURES' });
  });

  it('the device refuses leave the old ones in force', () => {
    const bench = backendBench();
    bench.device.refusing.add('setFeatures');
    bench.peer.send('GET_FEATURES', undefined);
    bench.peer.send('SET_PROTOCOL_FEATURES', ProtocolFeature.REPLY_ACK);
    bench.peer.send('SET_FEATURES', Feature.VIRTIO_F_VERSION_1, { needReply: true });
    expect(bench.exchange().at(-1)).toMatchObject({ u64: 1n });
    expect(bench.session.featuresSet).toBe(false);
    expect(bench.session.features).toBe(0n);
  });
});

describe('replies with a rule of their own', () => {
  it('SET_LOG_BASE is always answered: empty, or the ack if asked for', () => {
    const bench = backendBench();
    negotiateRaw(bench, EVERYTHING);
    bench.peer.send('SET_LOG_BASE', SAMPLES.log, { fds: 1 });
    bench.peer.send('SET_LOG_BASE', SAMPLES.log, { fds: 1, needReply: true });
    expect(bench.exchange().map(({ payload }) => payload.length)).toEqual([0, 8]);
  });

  it('GET_CONFIG answers bytes, or nothing for an error', () => {
    const bench = backendBench();
    negotiateRaw(bench, EVERYTHING);
    const config = (offset: number, size: number) => ({ offset, size, flags: 0, data: new Uint8Array(size) });
    bench.peer.send('GET_CONFIG', config(4, 3));
    bench.peer.send('GET_CONFIG', config(255, 2));
    bench.peer.send('GET_CONFIG', config(0, 0), { needReply: true });
    const [good, ...bad] = bench.exchange();
    expect([...(good?.payload ?? [])].slice(12)).toEqual([4, 5, 6]);
    expect(bad.map(({ payload }) => payload.length)).toEqual([0, 0]);
    expect(bench.session.open).toBe(true);
  });

  it('SET_CONFIG of a read-only space is refused', () => {
    const bench = backendBench({}, (device) => Object.assign(device, { setConfig: undefined }));
    negotiateRaw(bench, EVERYTHING);
    bench.peer.send('SET_CONFIG', SAMPLES.config, { needReply: true });
    expect(bench.exchange()).toMatchObject([{ u64: 1n }]);
  });

  it('GET_INFLIGHT_FD answers a region and its descriptor, or an empty one', () => {
    const bench = backendBench();
    negotiateRaw(bench, EVERYTHING);
    bench.peer.send('GET_INFLIGHT_FD', SAMPLES.inflight);
    const [reply] = bench.exchange();
    expect(reply?.fds).toHaveLength(1);
    expect(bench.table.kind(reply?.fds[0] ?? -1)).toBe('handed out');
    bench.table.close(reply?.fds[0] ?? -1);
    expect(bench.leaked()).toBe(0);
    bench.device.refusing.add('getInflightFd');
    bench.peer.send('GET_INFLIGHT_FD', SAMPLES.inflight);
    expect(bench.exchange()).toMatchObject([{ fds: [], payload: new Uint8Array(24) }]);
  });

  it('postcopy answers tables with addresses and takes the confirmation', () => {
    const bench = backendBench();
    negotiateRaw(bench, EVERYTHING);
    bench.peer.send('POSTCOPY_ADVISE', undefined);
    const [advised] = bench.exchange();
    expect(advised).toMatchObject({ payload: new Uint8Array(0) });
    expect(advised?.fds).toHaveLength(1);
    bench.peer.send('POSTCOPY_LISTEN', undefined);
    bench.peer.send('SET_MEM_TABLE', [REGION], { fds: 1 });
    const [table] = bench.exchange();
    const view = new DataView(table?.payload.buffer ?? new ArrayBuffer(0));
    expect(view.getBigUint64(8 + 16, true)).toBe(REGION.guestAddr + 0xaa00_0000_0000n);
    bench.peer.sendRaw(FRONTEND_REQUESTS.SET_MEM_TABLE.id, new Uint8Array(8));
    bench.peer.send('POSTCOPY_END', undefined);
    expect(bench.exchange()).toMatchObject([{ name: 'POSTCOPY_END', u64: 0n }]);
    expect(bench.device.names.slice(-4)).toEqual([
      'postcopyListen',
      'setMemoryTable',
      'postcopyReady',
      'postcopyEnd',
    ]);
    // Outside of postcopy an empty table is an empty table.
    bench.peer.sendRaw(FRONTEND_REQUESTS.SET_MEM_TABLE.id, new Uint8Array(8));
    bench.exchange();
    expect(bench.session.closeReason?.code).toBe('VHOST_BAD_MEMORY');
  });
});

describe('memory slots', () => {
  it('take the same region once for every queue pair, as QEMU 7.2 sends it, and give it back as often', () => {
    const bench = backendBench({ maxMemorySlots: 1 });
    negotiateRaw(bench, EVERYTHING);
    for (const _pair of [0, 1]) bench.peer.send('ADD_MEM_REG', REGION, { fds: 1, needReply: true });
    for (const _pair of [0, 1, 2]) bench.peer.send('REM_MEM_REG', REGION, { needReply: true });
    expect(bench.exchange().map((reply) => reply.u64)).toEqual([0n, 0n, 0n, 0n, 1n]);
    const calls = bench.device.names.filter((name) => name.endsWith('MemoryRegion'));
    expect(calls).toEqual(['addMemoryRegion', 'removeMemoryRegion']);
    expect(bench.leaked()).toBe(0);
  });

  it('are counted, and regions are matched for removal', () => {
    const bench = backendBench({ maxMemorySlots: 2 });
    negotiateRaw(bench, EVERYTHING);
    const at = (n: bigint) => ({ ...REGION, guestAddr: n << 32n, userAddr: n << 40n });
    for (const n of [1n, 2n, 3n]) {
      bench.peer.send('ADD_MEM_REG', at(n), { fds: 1, needReply: true });
    }
    bench.peer.send('REM_MEM_REG', at(1n), { needReply: true });
    bench.peer.send('REM_MEM_REG', at(1n), { needReply: true });
    bench.peer.send('REM_MEM_REG', at(2n), { needReply: true, fds: 1 });
    bench.peer.send('ADD_MEM_REG', at(3n), { fds: 1, needReply: true });
    expect(bench.exchange().map((reply) => reply.u64)).toEqual([0n, 0n, 1n, 0n, 1n, 0n, 0n]);
    expect(bench.leaked()).toBe(0);
  });
});

describe('device status', () => {
  it('is kept, told, and read back', () => {
    const bench = backendBench();
    negotiateRaw(bench, EVERYTHING);
    bench.peer.send('SET_STATUS', 0x08n);
    bench.peer.send('GET_STATUS', undefined);
    bench.peer.send('SET_STATUS', 0x0fn);
    bench.peer.send('SET_STATUS', 0n);
    expect(bench.exchange()).toMatchObject([{ u64: 8n }]);
    expect(bench.device.calls.filter(([name]) => name === 'setStatus')).toEqual([
      ['setStatus', 8, 0],
      ['setStatus', 0x0f, 8],
      ['setStatus', 0, 0x0f],
    ]);
  });

  it('that the device refuses does not stick', () => {
    const bench = backendBench();
    negotiateRaw(bench, EVERYTHING);
    bench.device.refusing.add('setStatus');
    bench.peer.send('SET_STATUS', 0x08n, { needReply: true });
    bench.peer.send('GET_STATUS', undefined);
    expect(bench.exchange().map((reply) => reply.u64)).toEqual([1n, 0n]);
  });

  it('does not keep FEATURES_OK for features that were refused', () => {
    const bench = backendBench({ features: Feature.VHOST_USER_F_PROTOCOL_FEATURES });
    negotiateRaw(bench, EVERYTHING, Feature.VHOST_USER_F_PROTOCOL_FEATURES);
    bench.peer.send('SET_STATUS', 0x0bn);
    bench.peer.send('SET_FEATURES', Feature.VIRTIO_F_RING_PACKED, { needReply: true });
    bench.peer.send('GET_STATUS', undefined);
    bench.peer.send('SET_STATUS', 0x0bn, { needReply: true });
    bench.peer.send('GET_STATUS', undefined);
    bench.peer.send('SET_STATUS', 0x0fn, { needReply: true });
    bench.peer.send('SET_FEATURES', Feature.VHOST_USER_F_PROTOCOL_FEATURES, { needReply: true });
    bench.peer.send('SET_STATUS', 0x0fn, { needReply: true });
    expect(bench.exchange().map((reply) => reply.u64)).toEqual([1n, 3n, 0n, 3n, 1n, 0n, 0n]);
  });

  it('decides whether the device is live', () => {
    const bench = backendBench();
    negotiateRaw(bench, ProtocolFeature.REPLY_ACK);
    expect(bench.session.live).toBe(true);
    const strict = backendBench();
    negotiateRaw(strict, ProtocolFeature.STATUS);
    expect(strict.session.live).toBe(false);
    strict.peer.send('SET_STATUS', 0x0fn);
    strict.exchange();
    expect(strict.session.live).toBe(true);
  });
});
