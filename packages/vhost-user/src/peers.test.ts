/** The exact message orders of real front-ends, replayed: QEMU 7.2 with two queue pairs, DPDK 22.11 virtio-user. */
import { describe, expect, it } from 'vitest';
import { Feature } from './features.js';
import { ProtocolFeature } from './protocol-features.js';
import type { BackendBench } from './testing/backend-bench.js';
import { backendBench } from './testing/backend-bench.js';

const RAM = { guestAddr: 0n, size: 0xa0000n, userAddr: 0x7f10_0000_0000n, mmapOffset: 0n };
const HIGH = { guestAddr: 0xc0000n, size: 0xff4_0000n, userAddr: 0x7f10_000c_0000n, mmapOffset: 0xc0000n };
const addrOf = (index: number) => ({
  index,
  flags: 0,
  desc: RAM.userAddr + BigInt(index) * 0x4000n,
  avail: RAM.userAddr + BigInt(index) * 0x4000n + 0x1000n,
  used: RAM.userAddr + BigInt(index) * 0x4000n + 0x2000n,
  log: 0n,
});

/** All replies so far; the session is still open. */
function replies(bench: BackendBench): [string, bigint | undefined][] {
  const seen = bench.exchange();
  expect(bench.session.closeReason).toBeUndefined();
  return seen.map(({ name, u64 }) => [name, u64]);
}

function startRings(bench: BackendBench, order: readonly number[]): void {
  for (const index of order) {
    bench.peer.send('SET_VRING_NUM', { index, num: 256 });
    bench.peer.send('SET_VRING_BASE', { index, num: 0 });
    bench.peer.send('SET_VRING_ADDR', addrOf(index));
    bench.peer.send('SET_VRING_KICK', { index, noFd: false }, { fds: 1 });
  }
}

describe('QEMU 7.2 with two queue pairs', () => {
  const bench = backendBench({ extraProtocolFeatures: ProtocolFeature.CRYPTO_SESSION });
  const { peer, session } = bench;
  const PROTOCOL = 0x18cbfn;
  const FEATURES = Feature.VIRTIO_F_VERSION_1 | Feature.VHOST_USER_F_PROTOCOL_FEATURES;

  it('initialises each pair on one connection', () => {
    for (const pair of [0, 1]) {
      peer.send('GET_FEATURES', undefined);
      peer.send('GET_PROTOCOL_FEATURES', undefined);
      peer.send('SET_PROTOCOL_FEATURES', PROTOCOL);
      peer.send('GET_QUEUE_NUM', undefined);
      peer.send('GET_MAX_MEM_SLOTS', undefined);
      if (pair === 0) {
        peer.send('SET_BACKEND_REQ_FD', undefined, { fds: [bench.table.open('socket')], needReply: true });
        peer.send('SET_OWNER', undefined);
      }
      peer.send('GET_FEATURES', undefined);
      for (const index of [2 * pair, 2 * pair + 1]) {
        peer.send('SET_VRING_CALL', { index, noFd: false }, { fds: 1 });
        peer.send('SET_VRING_ERR', { index, noFd: false }, { fds: 1 });
      }
    }
    const names = replies(bench).map(([name]) => name);
    expect(names).toHaveLength(11);
    expect(names.filter((name) => name === 'SET_BACKEND_REQ_FD')).toHaveLength(1);
    expect(session.protocolFeatures).toBe(PROTOCOL);
    expect(bench.device.names.filter((name) => name === 'setProtocolFeatures')).toHaveLength(1);
  });

  it('toggles pairs before the guest has a driver', () => {
    for (let round = 0; round < 3; round += 1) {
      for (const [index, num] of [
        [0, 1],
        [1, 1],
        [2, 0],
        [3, 0],
      ] as const) {
        peer.send('SET_VRING_ENABLE', { index, num });
      }
    }
    expect(replies(bench)).toEqual([]);
    expect(bench.device.names.filter((name) => name === 'setVringEnable')).toHaveLength(2);
  });

  it('starts with FEATURES_OK alone, memory slots, and DRIVER_OK last', () => {
    peer.send('SET_FEATURES', FEATURES);
    peer.send('GET_STATUS', undefined);
    peer.send('SET_STATUS', 0x08n);
    peer.send('ADD_MEM_REG', RAM, { fds: 1, needReply: true });
    peer.send('ADD_MEM_REG', HIGH, { fds: 1, needReply: true });
    startRings(bench, [0, 1]);
    for (const index of [0, 1]) {
      peer.send('SET_VRING_CALL', { index, noFd: false }, { fds: 1 });
    }
    peer.send('GET_STATUS', undefined);
    peer.send('SET_STATUS', 0x0fn);
    expect(replies(bench)).toEqual([
      ['GET_STATUS', 0n],
      ['ADD_MEM_REG', 0n],
      ['ADD_MEM_REG', 0n],
      ['GET_STATUS', 8n],
    ]);
    expect(session.live).toBe(true);
    expect(session.rings.map((ring) => ring.started)).toEqual([true, true, false, false]);
  });

  it('starts and stops logging while the rings run', () => {
    const LOG = Feature.VHOST_F_LOG_ALL;
    peer.send('SET_LOG_BASE', { size: 0x8000n, offset: 0n }, { fds: 1 });
    peer.send('SET_FEATURES', FEATURES | LOG);
    peer.send('SET_VRING_ADDR', { ...addrOf(0), flags: 1, log: 0x4000n });
    peer.send('SET_FEATURES', FEATURES);
    peer.send('SET_VRING_ADDR', addrOf(0));
    expect(replies(bench)).toEqual([['SET_LOG_BASE', undefined]]);
  });

  it('tears down with status 0 first, and starts again after a reboot', () => {
    bench.device.bases.set(1, 77);
    peer.send('SET_STATUS', 0n);
    peer.send('GET_VRING_BASE', { index: 0, num: 0 });
    peer.send('GET_VRING_BASE', { index: 1, num: 0 });
    expect(bench.exchange().map(({ payload }) => payload[4])).toEqual([0, 77]);
    peer.send('SET_FEATURES', FEATURES | Feature.VIRTIO_NET_F_MRG_RXBUF);
    peer.send('SET_STATUS', 0x08n);
    startRings(bench, [0, 1]);
    peer.send('SET_STATUS', 0x0fn);
    expect(replies(bench)).toEqual([]);
    expect(session.live).toBe(true);
  });
});

describe('DPDK 22.11 virtio-user with two queue pairs', () => {
  const bench = backendBench();
  const { peer, session, device } = bench;
  const FEATURES = 0x950448000n;
  const ORDER = [0, 2, 1, 3];

  it('negotiates and sets its calls up before the features', () => {
    peer.send('SET_OWNER', undefined);
    peer.send('GET_FEATURES', undefined);
    peer.send('GET_PROTOCOL_FEATURES', undefined);
    peer.send('SET_PROTOCOL_FEATURES', 0x10009n);
    for (const index of ORDER) {
      peer.send('SET_VRING_CALL', { index, noFd: false }, { fds: 1 });
    }
    peer.send('SET_FEATURES', FEATURES);
    peer.send('SET_STATUS', 0x0bn, { needReply: true });
    peer.send('GET_STATUS', undefined);
    peer.send('GET_STATUS', undefined);
    expect(replies(bench).slice(2)).toEqual([
      ['SET_STATUS', 0n],
      ['GET_STATUS', 0x0bn],
      ['GET_STATUS', 0x0bn],
    ]);
    // MQ and CTRL_RX without CTRL_VQ are what it sends; they stay.
    expect(session.features).toBe(FEATURES);
  });

  it('starts with one region and enables the second pair after DRIVER_OK', () => {
    peer.send('SET_MEM_TABLE', [{ ...RAM, size: 0x1000_0000n, guestAddr: RAM.userAddr }], {
      fds: 1,
      needReply: true,
    });
    startRings(bench, ORDER);
    for (const index of [0, 1]) {
      peer.send('SET_VRING_ENABLE', { index, num: 1 });
    }
    peer.send('SET_STATUS', 0x0fn, { needReply: true });
    for (const index of [2, 3]) {
      peer.send('SET_VRING_ENABLE', { index, num: 1 });
    }
    expect(replies(bench)).toEqual([
      ['SET_MEM_TABLE', 0n],
      ['SET_STATUS', 0n],
    ]);
    const important = ['setVringEnable', 'setStatus'];
    const order = device.calls
      .filter(([name]) => important.includes(name))
      .map((call) => call.slice(0, 2).join(' '));
    expect(order).toEqual([
      'setStatus 11',
      'setVringEnable 0',
      'setVringEnable 1',
      'setStatus 15',
      'setVringEnable 2',
      'setVringEnable 3',
    ]);
  });

  it('stops, and configures again without ever writing status 0', () => {
    for (const index of [0, 1, 2, 3]) {
      peer.send('SET_VRING_ENABLE', { index, num: 0 });
    }
    for (const index of [0, 1, 2, 3]) {
      peer.send('GET_VRING_BASE', { index, num: 0 });
    }
    peer.send('SET_FEATURES', FEATURES);
    peer.send('SET_STATUS', 0x0bn, { needReply: true });
    expect(replies(bench).at(-1)).toEqual(['SET_STATUS', 0n]);
    startRings(bench, ORDER);
    peer.send('SET_STATUS', 0x0fn, { needReply: true });
    expect(replies(bench)).toEqual([['SET_STATUS', 0n]]);
  });

  it('goes, and leaves nothing open', async () => {
    peer.socket.close();
    session.poll();
    await session.closed;
    expect(device.closedWith).toMatchObject({ code: 'VHOST_PEER_CLOSED', by: 'peer' });
    expect(bench.leaked()).toBe(0);
  });
});
