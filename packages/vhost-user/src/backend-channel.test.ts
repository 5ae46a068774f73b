/** Requests of the device to its front-end, and what happens when nobody answers them. */
import { describe, expect, it, vi } from 'vitest';
import { encodeReply } from './codec.js';
import { BACKEND_REQUESTS } from './messages.js';
import { IotlbPerm } from './payloads.js';
import { ProtocolFeature } from './protocol-features.js';
import { backendBench, negotiateRaw } from './testing/backend-bench.js';
import { RawPeer } from './testing/raw-peer.js';

const { REPLY_ACK, BACKEND_REQ, CONFIG, HOST_NOTIFIER } = ProtocolFeature;
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A session with an open back-end channel, and its far end. */
function withChannel(features = REPLY_ACK | BACKEND_REQ | CONFIG | HOST_NOTIFIER, channel = {}) {
  const bench = backendBench({ channel });
  negotiateRaw(bench, features);
  const given = bench.table.open('socket');
  bench.peer.send('SET_BACKEND_REQ_FD', undefined, { fds: [given] });
  bench.table.close(given);
  bench.exchange();
  const far = bench.channelPeers.at(-1);
  if (far === undefined || bench.device.channel === undefined) {
    throw new Error('no channel was opened');
  }
  return { bench, channel: bench.device.channel, far, peer: new RawPeer(far, 'backend') };
}

describe('the back-end channel', () => {
  it('asks for translations without waiting', () => {
    const { channel, peer } = withChannel();
    expect(channel.iotlbMiss(0x1000n, IotlbPerm.WRITE)).toBe(true);
    const [frame] = peer.frames();
    expect(frame).toMatchObject({ name: 'BACKEND_IOTLB_MSG', flags: 1 });
    const view = new DataView(frame?.payload.buffer ?? new ArrayBuffer(0));
    expect([view.getBigUint64(0, true), view.getUint8(24), view.getUint8(25)]).toEqual([0x1000n, 2, 1]);
  });

  it('drops misses for a front-end that does not read, and stays open', () => {
    const { channel } = withChannel(undefined, { dropAbove: 1000 });
    let told = 0;
    while (channel.iotlbMiss(0n, 1)) {
      told += 1;
      expect(told).toBeLessThan(3000);
    }
    expect(told).toBeGreaterThan(1000);
    expect(channel.open).toBe(true);
  });

  it('waits for acks, and reports a NACK', async () => {
    const { channel, peer, far } = withChannel();
    const first = channel.configChanged();
    expect(peer.frames()).toMatchObject([{ name: 'BACKEND_CONFIG_CHANGE_MSG', flags: 9 }]);
    far.send(encodeReply(BACKEND_REQUESTS.BACKEND_CONFIG_CHANGE_MSG, 'u64', 0n));
    await expect(first).resolves.toBeUndefined();
    const second = channel.configChanged();
    far.send(encodeReply(BACKEND_REQUESTS.BACKEND_CONFIG_CHANGE_MSG, 'u64', 1n));
    await expect(second).rejects.toMatchObject({ code: 'VHOST_NACK' });
    expect(channel.open).toBe(true);
  });

  it('passes the descriptor of a host notifier, and takes it back without one', async () => {
    const { bench, channel, peer, far } = withChannel();
    const row = BACKEND_REQUESTS.BACKEND_VRING_HOST_NOTIFIER_MSG;
    const fd = bench.table.open('notify area');
    const set = channel.hostNotifier(1, { fd: { fd, close: true }, size: 0x1000n, offset: 0n });
    const [frame] = peer.frames();
    expect(bench.table.kind(frame?.fds[0] ?? -1)).toBe('notify area');
    expect(bench.table.isOpen(fd)).toBe(false);
    far.send(encodeReply(row, 'u64', 0n));
    await set;
    const unset = channel.hostNotifier(1, undefined);
    expect(peer.frames()).toMatchObject([{ fds: [] }]);
    far.send(encodeReply(row, 'u64', 0n));
    await unset;
  });

  it('does not ask for what is not negotiated, and leaks nothing', async () => {
    const { bench, channel } = withChannel(REPLY_ACK | BACKEND_REQ);
    await expect(channel.configChanged()).rejects.toMatchObject({ code: 'VHOST_NOT_NEGOTIATED' });
    const fd = bench.table.open();
    const area = { fd: { fd, close: true }, size: 1n, offset: 0n };
    await expect(channel.hostNotifier(0, area)).rejects.toMatchObject({ code: 'VHOST_NOT_NEGOTIATED' });
    expect(bench.table.isOpen(fd)).toBe(false);
  });

  it('lost is not fatal: the device hears of it, the session goes on', async () => {
    const { bench, channel, far } = withChannel();
    const waiting = channel.configChanged();
    far.close();
    await expect(waiting).rejects.toMatchObject({ code: 'VHOST_PEER_CLOSED' });
    await vi.waitFor(() => expect(bench.device.channel).toBeUndefined());
    expect(bench.session.open).toBe(true);
    expect(channel.iotlbMiss(0n, 1)).toBe(false);
    expect(bench.leaked()).toBe(0);
  });

  it('is replaced by a second one, and closed with the session', async () => {
    const { bench, channel, far } = withChannel();
    bench.peer.send('SET_BACKEND_REQ_FD', undefined, { fds: [bench.table.open('socket')], needReply: true });
    expect(bench.exchange()).toMatchObject([{ u64: 0n }]);
    expect(channel.open).toBe(false);
    expect(far.receive(new Uint8Array(1), [])).toBe(0);
    const second = bench.device.channel;
    expect(second?.open).toBe(true);
    bench.session.close();
    await nextTurn();
    expect(second?.open).toBe(false);
  });

  it('needs a socket', () => {
    const bench = backendBench();
    negotiateRaw(bench, REPLY_ACK | BACKEND_REQ);
    bench.peer.send('SET_BACKEND_REQ_FD', undefined, { fds: 1, needReply: true });
    expect(bench.exchange()).toMatchObject([{ u64: 1n }]);
    expect(bench.session.open).toBe(true);
    expect(bench.leaked()).toBe(0);
  });

  it('with a late, wrong or unasked-for reply closes', async () => {
    const late = withChannel(undefined, { replyTimeout: 20 });
    await expect(late.channel.configChanged()).rejects.toMatchObject({ code: 'VHOST_REPLY_TIMEOUT' });
    const wrong = withChannel();
    const waiting = wrong.channel.configChanged();
    wrong.far.send(encodeReply(BACKEND_REQUESTS.BACKEND_IOTLB_MSG, 'u64', 0n));
    await expect(waiting).rejects.toMatchObject({ code: 'VHOST_BAD_REPLY' });
    const unasked = withChannel();
    unasked.far.send(encodeReply(BACKEND_REQUESTS.BACKEND_CONFIG_CHANGE_MSG, 'u64', 0n));
    await expect(unasked.channel.closed).resolves.toMatchObject({ code: 'VHOST_BAD_REPLY' });
  });
});
