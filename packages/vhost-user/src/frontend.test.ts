/** The front-end role, against a real session and against a back-end that lies or is silent. */
import { describe, expect, it, vi } from 'vitest';
import { BackendSession } from './backend.js';
import { encodeMessage, encodeReply, FLAG_REPLY, VERSION } from './codec.js';
import { DeviceStatus, Feature } from './features.js';
import { FrontendClient } from './frontend.js';
import type { FrontendOptions } from './frontend-link.js';
import type { VringPlan } from './frontend-setup.js';
import { negotiate, startDevice, stopDevice } from './frontend-setup.js';
import type { FrontendRequestName } from './messages.js';
import { FRONTEND_REQUESTS } from './messages.js';
import { IotlbPerm, IotlbType } from './payloads.js';
import { ProtocolFeature } from './protocol-features.js';
import { NET_FEATURES } from './testing/backend-bench.js';
import type { FdTable, MemorySocket } from './testing/memory-socket.js';
import { memorySocketPair } from './testing/memory-socket.js';
import { RawPeer } from './testing/raw-peer.js';
import { RecordingDevice } from './testing/recording-device.js';
import { REGION, SAMPLES } from './testing/samples.js';

const PROTOCOL = ProtocolFeature;

/** A client and a real session, joined in memory. */
function pair(options: FrontendOptions = {}, extraFeatures = 0n) {
  const [near, far] = memorySocketPair();
  const { table } = near;
  const device = new RecordingDevice();
  device.openFd = () => table.open('handed out');
  const channels = new Map<number, MemorySocket>();
  const session = new BackendSession(far, device, {
    features: NET_FEATURES | Feature.VIRTIO_F_ACCESS_PLATFORM | extraFeatures,
    vringCount: 4,
    // A channel's descriptor number is that of a memory socket of the test.
    channel: {
      open: (fd) => {
        const socket = channels.get(fd) ?? [...channels.values()][0];
        table.close(fd);
        return socket as MemorySocket;
      },
    },
  }).start();
  const client = new FrontendClient(near, { replyTimeout: 2000, ...options });
  return { client, session, device, table, channels };
}

/** A client and a far end driven by hand. */
function raw(options: FrontendOptions = {}) {
  const [near, far] = memorySocketPair();
  const client = new FrontendClient(near, { replyTimeout: 2000, ...options });
  return { client, peer: new RawPeer(far), far, table: near.table };
}

const negotiated = async (bench: ReturnType<typeof pair>, protocol: bigint, features = NET_FEATURES) => {
  await bench.client.setOwner();
  await bench.client.getFeatures();
  await bench.client.setProtocolFeatures(protocol);
  await bench.client.setFeatures(features | Feature.VHOST_USER_F_PROTOCOL_FEATURES);
};

function plan(table: FdTable): { regions: (typeof REGION & { fd: number })[]; vrings: VringPlan[] } {
  const vrings = [0, 1, 2, 3].map((index) => ({
    index,
    size: 256,
    desc: REGION.userAddr,
    avail: REGION.userAddr + 0x1000n,
    used: REGION.userAddr + 0x2000n,
    kickFd: table.open(`kick ${index}`),
    callFd: index === 3 ? undefined : table.open(`call ${index}`),
  }));
  return { regions: [{ ...REGION, fd: table.open('memory') }], vrings };
}

describe('a front-end and a back-end', () => {
  it('go through a whole life in the order of DPDK', async () => {
    const bench = pair({ acks: 'dpdk' });
    const { client, session, device, table } = bench;
    const wishes = { features: 0x950448000n, required: Feature.VIRTIO_F_VERSION_1 };
    const agreed = await negotiate(client, wishes);
    expect(agreed).toEqual({
      features: 0x950448000n,
      protocolFeatures: PROTOCOL.MQ | PROTOCOL.REPLY_ACK | PROTOCOL.STATUS,
      queueNum: 2,
    });
    const { regions, vrings } = plan(table);
    await startDevice(client, { features: agreed.features, regions, vrings });
    expect(session.live).toBe(true);
    expect(session.rings.map((ring) => [ring.started, ring.kick, ring.call])).toEqual([
      [true, 'eventfd', 'eventfd'],
      [true, 'eventfd', 'eventfd'],
      [true, 'eventfd', 'eventfd'],
      [true, 'eventfd', 'poll'],
    ]);
    const sent = client.trace.entries.filter((entry) => entry.dir === 'out');
    const ring = (index: number) => [
      `SET_VRING_NUM ${index}`,
      `SET_VRING_BASE ${index}`,
      `SET_VRING_ADDR ${index}`,
      `SET_VRING_KICK ${index}`,
    ];
    const steps = sent.flatMap(({ name, fields, count }) => {
      return Array.from({ length: count }, () =>
        fields.index === undefined ? name : `${name} ${fields.index}`,
      );
    });
    expect(steps).toEqual([
      'SET_OWNER',
      'GET_FEATURES',
      'GET_PROTOCOL_FEATURES',
      'SET_PROTOCOL_FEATURES',
      'GET_QUEUE_NUM',
      'SET_VRING_CALL 0',
      'SET_VRING_CALL 2',
      'SET_VRING_CALL 1',
      'SET_VRING_CALL 3',
      'SET_FEATURES',
      'SET_STATUS',
      'GET_STATUS',
      'SET_MEM_TABLE',
      ...ring(0),
      ...ring(2),
      ...ring(1),
      ...ring(3),
      'SET_VRING_ENABLE 0',
      'SET_VRING_ENABLE 1',
      'SET_STATUS',
      'SET_VRING_ENABLE 2',
      'SET_VRING_ENABLE 3',
    ]);
    expect(sent.filter((entry) => entry.needReply).map((entry) => entry.name)).toEqual([
      'SET_STATUS',
      'SET_MEM_TABLE',
      'SET_STATUS',
    ]);
    expect(device.taken.map((fd) => table.kind(fd))).toContain('memory');

    device.bases.set(2, 1234);
    await expect(stopDevice(client, [0, 1, 2, 3])).resolves.toEqual(
      new Map([
        [0, 0],
        [1, 0],
        [2, 1234],
        [3, 0],
      ]),
    );
    client.close();
    await session.closed;
    expect(device.closedWith?.by).toBe('peer');
  });

  it('agree without protocol features too', async () => {
    const [near, far] = memorySocketPair();
    const session = new BackendSession(far, new RecordingDevice(), {
      features: Feature.VIRTIO_F_VERSION_1,
      vringCount: 2,
    }).start();
    const client = new FrontendClient(near);
    const agreed = await negotiate(client, { features: Feature.VIRTIO_F_VERSION_1 });
    expect(agreed).toEqual({
      features: Feature.VIRTIO_F_VERSION_1,
      protocolFeatures: 0n,
      queueNum: undefined,
    });
    const { regions, vrings } = plan(near.table);
    await startDevice(client, { features: agreed.features, regions, vrings: vrings.slice(0, 2) });
    await client.getFeatures();
    expect(session.ringEnabled(0)).toBe(true);
    await stopDevice(client, [0, 1]);
    expect(session.open).toBe(true);
    client.close();
  });

  it('disagree with a clear word when a required feature is missing', async () => {
    const { client } = pair();
    const wishes = { features: 0n, required: Feature.VIRTIO_NET_F_RSS };
    await expect(negotiate(client, wishes)).rejects.toThrow('does not offer VIRTIO_NET_F_RSS');
    client.close();
  });

  it('exchange every message that has a method', async () => {
    const bench = pair();
    const { client, device, table } = bench;
    const all =
      PROTOCOL.REPLY_ACK |
      PROTOCOL.LOG_SHMFD |
      PROTOCOL.RARP |
      PROTOCOL.NET_MTU |
      PROTOCOL.CONFIG |
      PROTOCOL.INFLIGHT_SHMFD |
      PROTOCOL.RESET_DEVICE |
      PROTOCOL.CONFIGURE_MEM_SLOTS |
      PROTOCOL.STATUS |
      PROTOCOL.PAGEFAULT;
    await negotiated(bench, all, Feature.VIRTIO_F_ACCESS_PLATFORM);
    const fd = table.open('shared');
    await client.setLogBase(SAMPLES.log, fd);
    await client.setLogFd(fd);
    await client.sendRarp(Uint8Array.of(0x52, 0x54, 0, 1, 2, 3));
    await client.setMtu(1500);
    await client.setConfig(4, Uint8Array.of(1, 2));
    await expect(client.getConfig(2, 3)).resolves.toEqual(Uint8Array.of(2, 3, 4));
    const inflight = await client.getInflight(SAMPLES.inflight);
    expect(table.kind(inflight?.fd ?? -1)).toBe('handed out');
    await client.setInflight(SAMPLES.inflight, inflight?.fd ?? -1);
    await client.addMemoryRegion({ ...REGION, fd });
    await client.removeMemoryRegion(REGION);
    await expect(client.getMaxMemorySlots()).resolves.toBe(32);
    await client.iotlbUpdate({ iova: 0n, size: 0x1000n, userAddr: 0x1000n, perm: IotlbPerm.READ });
    await client.iotlbInvalidate(0n, 0x1000n);
    await client.addStatus(DeviceStatus.ACKNOWLEDGE | DeviceStatus.FEATURES_OK);
    await expect(client.getStatus()).resolves.toBe(9);
    expect(table.kind(await client.postcopyAdvise())).toBe('handed out');
    await client.postcopyListen();
    await client.postcopyEnd();
    await client.setVringErr(0, fd);
    await client.setVringErr(0, undefined);
    await client.resetDevice();
    await client.resetOwner();
    expect(device.calls).toContainEqual(['sendRarp', [0x52, 0x54, 0, 1, 2, 3]]);
    expect(device.calls).toContainEqual(['setMtu', 1500]);
    expect(
      device.calls.filter(([name]) => name === 'iotlb').map((call) => (call[1] as { type: number }).type),
    ).toEqual([IotlbType.UPDATE, IotlbType.INVALIDATE]);
    expect(table.isOpen(fd)).toBe(true);
    client.close();
  });

  it('talk over the back-end channel', async () => {
    const bench = pair();
    await negotiated(
      bench,
      PROTOCOL.REPLY_ACK | PROTOCOL.BACKEND_REQ | PROTOCOL.CONFIG | PROTOCOL.HOST_NOTIFIER,
    );
    const [ours, theirs] = memorySocketPair({ table: bench.table });
    const fd = bench.table.open('socket');
    bench.channels.set(fd, theirs);
    const seen: string[] = [];
    const channel = await bench.client.openChannel(ours, fd, {
      iotlbMiss: ({ iova, perm }) => void seen.push(`miss ${iova} ${perm}`),
      configChanged: () => void seen.push('config'),
      hostNotifier: (area, notify) => void seen.push(`notifier ${area.index} ${notify !== undefined}`),
    });
    expect(bench.table.isOpen(fd)).toBe(false);
    const device = bench.device.channel;
    expect(device?.iotlbMiss(4096n, 3)).toBe(true);
    await device?.configChanged();
    const area = { fd: { fd: bench.table.open(), close: true }, size: 0x1000n, offset: 0n };
    await device?.hostNotifier(1, area);
    await device?.hostNotifier(1, undefined);
    expect(seen).toEqual(['miss 4096 3', 'config', 'notifier 1 true', 'notifier 1 false']);
    await expect(device?.request('BACKEND_IOTLB_MSG', { ...SAMPLES.iotlb, type: 4 })).rejects.toMatchObject({
      code: 'VHOST_NACK',
    });
    bench.client.close();
    await vi.waitFor(() => expect(channel.open).toBe(false));
  });
});

describe('refusals', () => {
  it('become errors that name the message, and the connection goes on', async () => {
    const bench = pair();
    await negotiated(
      bench,
      PROTOCOL.REPLY_ACK | PROTOCOL.NET_MTU | PROTOCOL.CONFIG | PROTOCOL.INFLIGHT_SHMFD,
    );
    await expect(bench.client.setMtu(3)).rejects.toThrow('refused NET_SET_MTU');
    await expect(bench.client.getConfig(250, 10)).rejects.toMatchObject({ code: 'VHOST_NACK' });
    bench.device.refusing.add('getInflightFd');
    await expect(bench.client.getInflight(SAMPLES.inflight)).resolves.toBeUndefined();
    expect(bench.client.open).toBe(true);
    bench.client.close();
  });

  it('do not even leave when not negotiated, and leak nothing', async () => {
    const { client, peer, table } = raw();
    const names = (Object.keys(FRONTEND_REQUESTS) as FrontendRequestName[]).filter((name) => {
      return FRONTEND_REQUESTS[name].feature !== undefined;
    });
    for (const name of names) {
      const fd = table.open();
      const sending = client.tell(name, undefined as never, [{ fd, close: true }]);
      await expect(sending, name).rejects.toMatchObject({ code: 'VHOST_NOT_NEGOTIATED' });
      expect(table.isOpen(fd)).toBe(false);
    }
    await expect(client.iotlbInvalidate(0n, 1n)).rejects.toThrow('VIRTIO_F_ACCESS_PLATFORM');
    const conflict = client.setProtocolFeatures(PROTOCOL.INBAND_NOTIFICATIONS);
    await expect(conflict).rejects.toMatchObject({ code: 'VHOST_BAD_FEATURES' });
    expect(peer.frames()).toEqual([]);
    client.close();
  });

  it('of features show in the status', async () => {
    const { client, far } = raw();
    await client.setProtocolFeatures(PROTOCOL.STATUS);
    const adding = client.addStatus(DeviceStatus.FEATURES_OK);
    far.send(encodeReply(FRONTEND_REQUESTS.GET_STATUS, 'u64', 0n));
    await vi.waitFor(() => {
      if (far.buffered > 0) far.receive(new Uint8Array(4096), []);
      expect(client.trace.entries.some((entry) => entry.name === 'SET_STATUS')).toBe(true);
    });
    far.send(encodeReply(FRONTEND_REQUESTS.GET_STATUS, 'u64', 3n));
    await expect(adding).rejects.toThrow('FEATURES_OK is clear in status 0x3');
    client.close();
  });
});

describe('a back-end that lies', () => {
  const reply =
    (bytes: Uint8Array, fds = 0) =>
    async () => {
      const { client, peer } = raw();
      const asking = client.getFeatures();
      peer.sendBytes(bytes, fds);
      await expect(asking).rejects.toMatchObject({ code: expect.stringMatching(/^VHOST_/) });
      expect(client.open).toBe(false);
      expect(client.closeReason?.text).not.toBe('');
      await client.closed;
      peer.socket.close();
      expect(peer.socket.table.openCount).toBe(0);
    };

  it('about the request', reply(encodeReply(FRONTEND_REQUESTS.GET_STATUS, 'u64', 0n)));
  it('about the size', reply(encodeMessage(1, VERSION | FLAG_REPLY, new Uint8Array(7))));
  it('with an empty reply', reply(encodeMessage(1, VERSION | FLAG_REPLY, new Uint8Array(0))));
  it('with a request', reply(encodeMessage(1, VERSION, new Uint8Array(8))));
  it('about the version', reply(encodeMessage(1, 2 | FLAG_REPLY, new Uint8Array(8))));
  it('with descriptors nobody asked for', reply(encodeReply(FRONTEND_REQUESTS.GET_FEATURES, 'u64', 0n), 2));
  it('about another vring', async () => {
    const { client, far } = raw();
    const asking = client.getVringBase(1);
    far.send(encodeReply(FRONTEND_REQUESTS.GET_VRING_BASE, 'vringState', { index: 0, num: 5 }));
    await expect(asking).rejects.toMatchObject({ code: 'VHOST_BAD_REPLY' });
    expect(client.open).toBe(false);
  });
  it('about the configuration', async () => {
    const { client, far } = raw();
    await client.setProtocolFeatures(PROTOCOL.CONFIG);
    const asking = client.getConfig(0, 4);
    const data = new Uint8Array(2);
    far.send(encodeReply(FRONTEND_REQUESTS.GET_CONFIG, 'config', { offset: 0, size: 2, flags: 0, data }));
    await expect(asking).rejects.toMatchObject({ code: 'VHOST_BAD_REPLY' });
  });
  it('without being asked', async () => {
    const { client, far } = raw();
    far.send(encodeReply(FRONTEND_REQUESTS.GET_FEATURES, 'u64', 0n));
    await expect(client.closed).resolves.toMatchObject({ code: 'VHOST_BAD_REPLY' });
  });
});

describe('a back-end that does not answer', () => {
  it('in time', async () => {
    const { client } = raw({ replyTimeout: 20 });
    const all = [client.getFeatures(), client.getVringBase(0)];
    const results = await Promise.allSettled(all);
    for (const result of results) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'VHOST_REPLY_TIMEOUT' } });
    }
    expect(client.closeReason?.text).toContain('no reply to GET_FEATURES within 20 ms');
  });

  it('because it went away', async () => {
    const { client, far } = raw();
    const asking = client.getFeatures();
    far.close();
    await expect(asking).rejects.toMatchObject({ code: 'VHOST_PEER_CLOSED' });
    await expect(client.setOwner()).rejects.toMatchObject({ code: 'VHOST_PEER_CLOSED' });
    await expect(client.getFeatures()).rejects.toMatchObject({ code: 'VHOST_PEER_CLOSED' });
  });

  it('to too many requests', async () => {
    const { client } = raw({ maxPending: 2 });
    const pending = [client.getFeatures(), client.getFeatures()];
    await expect(client.getFeatures()).rejects.toMatchObject({ code: 'VHOST_PEER_NOT_READING' });
    client.close();
    await Promise.allSettled(pending);
  });
});
