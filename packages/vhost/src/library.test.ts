/**
 * The surface of the vhost library over real sockets, with a fake guest: each test names the rows of the feature table that it
 * exercises. A16 to A21 are in ethdev, A38, A39, A82 and A83 also in test/interop.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Mempool } from '@pollwire/ethdev';
import { Eal } from '@pollwire/ethdev';
import { native } from '@pollwire/native';
import type { FakeFrontendOptions } from '@pollwire/testkit';
import { FakeFrontend, makeFrame } from '@pollwire/testkit';
import { Acceptor, Feature, FrontendClient, ProtocolFeature, refuse } from '@pollwire/vhost-user';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { VhostDevice, VhostOptions } from './index.js';
import { offeredFeatures, VhostSocket } from './index.js';

let dir: string;
let path: string;
let eal: Eal;
let pool: Mempool;
let sockets: VhostSocket[] = [];
let guests: FakeFrontend[] = [];
let problems: string[] = [];

beforeAll(async () => {
  eal = await Eal.init({ memory: 64, huge: 'never' }, () => undefined);
  pool = eal.createPool({ name: 'library', size: 1024, cache: 0 });
});
afterAll(() => eal.close());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pw-library-'));
  path = join(dir, 's');
  problems = [];
});
afterEach(async () => {
  for (const guest of guests) await guest.close();
  for (const socket of sockets) await socket.close();
  guests = [];
  sockets = [];
  rmSync(dir, { recursive: true });
});

function register(options: VhostOptions = {}, at = path): VhostSocket {
  const socket = new VhostSocket(at, options).on('problem', (text) => problems.push(text));
  sockets.push(socket);
  return socket;
}

async function connect(options: FakeFrontendOptions = {}): Promise<FakeFrontend> {
  const guest = await FakeFrontend.connect(path, options);
  guests.push(guest);
  return guest;
}

/** Names of events with what they were about, in order. */
function record(socket: VhostSocket): string[] {
  const log: string[] = [];
  socket
    .on('new_connection', () => log.push('new_connection'))
    .on('new_device', (device) => log.push(`new_device ready=${device.ready}`))
    .on('destroy_device', (device) => log.push(`destroy_device ready=${device.ready}`))
    .on('destroy_connection', (_device, { by }) => log.push(`destroy_connection by ${by}`))
    .on('features_changed', (device, word) => log.push(`features_changed same=${device.features === word}`))
    .on('vring_state_changed', (_device, ring, on) => log.push(`vring ${ring} ${on}`));
  return log;
}

const ready = (socket: VhostSocket) =>
  vi.waitFor(() => {
    expect(socket.device?.ready).toBe(true);
    return socket.device as VhostDevice;
  });

describe('registering', () => {
  it('A31, A33, A52: a path is taken once, until it is given up', async () => {
    const socket = register();
    expect(() => register()).toThrow(/is registered already in this program/);
    expect(() => register({}, `${dir}/x/../s`)).toThrow(/registered already/);
    await socket.close();
    await register().close();
  });

  it('A81, A33: the socket file is there from start until close', async () => {
    const socket = register();
    expect(existsSync(path)).toBe(false);
    socket.start();
    expect(existsSync(path)).toBe(true);
    await socket.close();
    expect(existsSync(path)).toBe(false);
  });

  it('A12: a path of 108 bytes is refused at start', () => {
    expect(() => register({}, `/tmp/${'x'.repeat(103)}`).start()).toThrow(/107/);
  });

  it('A54: a client without reconnection fails at once', () => {
    expect(() => register({ client: true, noReconnect: true }).start()).toThrow(/cannot connect to/);
    expect(() => register({ noReconnect: true }, `${path}2`)).toThrow(/Leave out noReconnect/);
  });

  it('A54: with asyncConnect it fails later, as an event', async () => {
    const socket = register({ client: true, noReconnect: true, asyncConnect: true });
    const errors: string[] = [];
    socket.on('error', (error) => errors.push(error.code)).start();
    expect(errors).toEqual([]);
    await vi.waitFor(() => expect(errors).toEqual(['VHOST_CONNECT_FAILED']));
  });

  it('A53, A56, A91, A94: a client waits for its server, creates no file, and negotiates at once', async () => {
    const socket = register({ client: true }).start();
    expect(existsSync(path)).toBe(false);
    expect(problems).toEqual([expect.stringMatching(/cannot connect to .*is the server running/)]);
    expect(socket.describe().missing).toMatch(/connecting to .* since .*: cannot connect to/);
    const clients: FrontendClient[] = [];
    const server = new Acceptor(path, {
      connected: (end) => {
        const client = new FrontendClient(end);
        clients.push(client);
        return client;
      },
    });
    await vi.waitFor(() => expect(socket.device).toBeDefined(), 3000);
    expect(await clients[0]?.getFeatures()).toBe(offeredFeatures());
    expect(socket.describe()).toMatchObject({ role: 'client', state: 'connected', connections: 1 });
    await socket.close();
    server.close();
  });

  it('A13: the front-end is told the queue pairs that were configured', async () => {
    register({ queuePairs: 3 }).start();
    expect((await connect()).negotiated.queueNum).toBe(3);
  });

  it('A34: run is the whole life of a socket', async () => {
    const socket = register();
    const stop = new AbortController();
    const ended = socket.run({ signal: stop.signal });
    const guest = await connect();
    await ready(socket);
    stop.abort();
    await ended;
    expect(existsSync(path)).toBe(false);
    await vi.waitFor(() => expect(guest.client.open).toBe(false));
    // The path is free again, an aborted signal starts nothing, and what start throws comes out.
    await register().run({ signal: stop.signal });
    const refused = register({ client: true, noReconnect: true }).run();
    await expect(refused).rejects.toThrow(/cannot connect/);
  });
});

describe('features', () => {
  it('A40, A71, A79, A80: are set, enabled and disabled with checks in words', async () => {
    const socket = register().start();
    expect(socket.features).toBe(offeredFeatures());
    socket.disableFeatures(Feature.VIRTIO_NET_F_MRG_RXBUF);
    socket.enableFeatures(Feature.VIRTIO_NET_F_HOST_TSO4);
    const wanted = (offeredFeatures() & ~Feature.VIRTIO_NET_F_MRG_RXBUF) | Feature.VIRTIO_NET_F_HOST_TSO4;
    expect(socket.features).toBe(wanted);
    expect(() => socket.enableFeatures(Feature.VIRTIO_NET_F_RSS)).toThrow(
      'feature VIRTIO_NET_F_RSS cannot be offered here; leave it out.',
    );
    expect(() => socket.disableFeatures(Feature.VIRTIO_NET_F_RSS)).toThrow(/VIRTIO_NET_F_RSS/);
    expect(() => {
      socket.features = 1n << 55n;
    }).toThrow(/cannot be offered/);
    expect(() => register({ features: Feature.VIRTIO_NET_F_RSS }, `${path}2`)).toThrow(/VIRTIO_NET_F_RSS/);
    const guest = await connect();
    expect(guest.negotiated.features & Feature.VIRTIO_NET_F_MRG_RXBUF).toBe(0n);
    expect(await guest.client.getFeatures()).toBe(wanted);
    // For the next connection, whatever this one has.
    socket.enableFeatures(Feature.VIRTIO_NET_F_MRG_RXBUF);
    expect(await guest.client.getFeatures()).toBe(wanted);
  });

  it('A71: so are protocol features', async () => {
    const socket = register().start();
    const all = socket.protocolFeatures;
    socket.disableProtocolFeatures(ProtocolFeature.NET_MTU | ProtocolFeature.STATUS);
    expect(() => socket.enableProtocolFeatures(ProtocolFeature.XEN_MMAP)).toThrow(
      'protocol feature XEN_MMAP cannot be offered here; leave it out.',
    );
    const guest = await connect();
    const offered = await guest.client.getProtocolFeatures();
    expect(all & ~offered).toBe(ProtocolFeature.NET_MTU | ProtocolFeature.STATUS);
    socket.enableProtocolFeatures(ProtocolFeature.STATUS);
    socket.protocolFeatures = all;
    expect(socket.protocolFeatures).toBe(all);
  });

  it('B.6: packets that fit no mbuf are not asked for', () => {
    expect(() => register({ linearBuffer: true, features: offeredFeatures({ tso: true }) })).toThrow(
      /VIRTIO_NET_F_HOST_TSO4.* cannot be offered/,
    );
    const extBuffer = eal.createPool({ name: 'large', size: 8, dataRoom: 65_000 });
    register({ linearBuffer: true, extBuffer, features: offeredFeatures({ tso: true }) });
  });
});

describe('callbacks', () => {
  it('A35, A41, A43, A72 to A78: come in order, each after the state has changed', async () => {
    const socket = register().start();
    const log = record(socket);
    const guest = await connect();
    await ready(socket);
    await guest.stop();
    await vi.waitFor(() => expect(socket.device?.ready).toBe(false));
    await guest.close();
    await vi.waitFor(() => expect(log.at(-1)).toBe('destroy_connection by peer'));
    expect(log).toEqual([
      'new_connection',
      'features_changed same=true',
      'vring 0 true',
      'vring 1 true',
      'new_device ready=true',
      'vring 0 false',
      'destroy_device ready=false',
      'vring 1 false',
      'destroy_connection by peer',
    ]);
  });

  it.each([
    ['returns false', () => false, 'the handler returned false'],
    [
      'throws',
      () => {
        throw new Error('no free core');
      },
      'no free core',
    ],
  ])('A73: new_device is refused by a handler that %s', async (_how, newDevice, why) => {
    const socket = register({ newDevice }).start();
    const log = record(socket);
    await connect().catch(() => undefined);
    await vi.waitFor(() => expect(log.at(-1)).toBe('destroy_connection by us'));
    expect(log.filter((line) => line.includes('_device'))).toEqual([]);
    expect(problems).toEqual([`${path}: new_device was refused: ${why}; the connection is closed`]);
    expect(socket.describe().missing).toMatch(
      new RegExp(`the last connection ended at .*: new_device was refused: ${why}`),
    );
    expect(socket.device).toBeUndefined();
  });

  it('A38, A39, A82, A83, B.4 guest_notified: bursts move packets, and signals are told off the data path', async () => {
    const socket = register().start();
    const told: [number, number][] = [];
    socket.on('guest_notified', (_device, ring, count) => told.push([ring, count]));
    const guest = await connect();
    const device = await ready(socket);
    const [rx, tx, burst] = [device.receiver(0, pool), device.transmitter(0), eal.burst(8)];
    const frames = [makeFrame(1, 60), makeFrame(2, 1500)];
    guest.send(frames);
    expect(device.vring(1).availEntries).toBe(2);
    expect(rx.burst(burst)).toBe(2);
    expect(device.vring(1).availEntries).toBe(0);
    expect(tx.burst(burst)).toBe(2);
    expect(guest.receive()).toEqual(frames);
    await vi.waitFor(() => expect(told.map(([ring]) => ring).sort()).toEqual([0, 1]), 2000);
    expect(device.vring(0).notifications).toBe(1n);
    expect(told.every(([, count]) => count === 1)).toBe(true);
  });
});

describe('a device', () => {
  it('B.4: tells mtu, counts, words, memory and rings', async () => {
    const socket = register({ queuePairs: 2 }).start();
    const mtus: number[] = [];
    socket.on('mtu_changed', (_device, mtu) => mtus.push(mtu));
    const guest = await connect({ pairs: 2, ringSize: 128 });
    const device = await ready(socket);
    expect(socket.path).toBe(path);
    expect(device.rings.length).toBe(4);
    expect(socket.queuePairs).toBe(2);
    expect(device.features).toBe(guest.negotiated.features);
    expect(device.protocolFeatures).toBe(guest.negotiated.protocolFeatures);
    const { guestBase, userBase, bytes } = guest.memory;
    expect(device.regions).toMatchObject([{ guestAddr: guestBase, userAddr: userBase, size: BigInt(bytes) }]);
    const [ring] = guest.rings;
    expect(device.vring(0).info).toMatchObject({
      size: 128,
      desc: guest.memory.userAddr(ring?.desc ?? 0),
      avail: guest.memory.userAddr(ring?.avail ?? 0),
      used: guest.memory.userAddr(ring?.used ?? 0),
      kick: 'eventfd',
      call: 'eventfd',
      enabled: true,
      started: true,
      ready: true,
      broken: '',
    });
    expect(() => device.vring(4)).toThrow(/no vring 4/);
    expect(mtus).toEqual([]);
  });

  it('B.4: vring bases are read any time and set while the ring rests', async () => {
    const socket = register().start();
    const guest = await connect({ start: 100 });
    const device = await ready(socket);
    expect(device.vring(1).base).toBe(100);
    expect(() => {
      device.vring(1).base = 5;
    }).toThrow(/ring 1 runs/);
    await guest.stop();
    device.vring(1).base = 77;
    expect(device.vring(1).base).toBe(77);
    expect(await guest.client.getVringBase(1)).toBe(77);
  });

  it('B.4: kicks are asked for and waived, and the driver is called at will', async () => {
    const socket = register().start();
    const guest = await connect();
    const device = await ready(socket);
    const flags = () => guest.memory.view.getUint16(guest.rings[1]?.used ?? 0, true);
    expect(flags() & 1).toBe(1);
    device.vring(1).enableNotification(true);
    expect(flags() & 1).toBe(0);
    device.vring(1).enableNotification(false);
    expect(flags() & 1).toBe(1);
    expect(device.vring(0).call()).toBe(true);
    // A98: without a descriptor the driver polls; there is nothing to call.
    await guest.stop();
    await guest.client.setVringCall(0, undefined);
    expect(device.vring(0).call()).toBe(false);
    expect(device.vring(0).info.call).toBe('poll');
  });

  it('B.4: log_write marks what the program wrote, while somebody logs', async () => {
    const socket = register().start();
    await connect();
    const device = await ready(socket);
    device.logWrite(0x1000n, 8);
    const marked: unknown[] = [];
    device.dirtyLog = { write: (address, length) => marked.push([address, length]) };
    device.logWrite(0x2000n, 16);
    expect(marked).toEqual([[0x2000n, 16]]);
  });

  it('B.5: statistics have the names of DPDK, are reset, and can be off', async () => {
    const socket = register().start();
    const guest = await connect();
    const device = await ready(socket);
    expect(device.vring(1).stats().get('good_packets')).toBe(0n);
    const [rx, burst] = [device.receiver(0, pool), eal.burst(8)];
    guest.send([makeFrame(1, 64), makeFrame(2, 1500)]);
    expect(rx.burst(burst)).toBe(2);
    burst.free();
    const stats = device.vring(1).stats();
    for (const name of [
      'good_packets',
      'good_bytes',
      'multicast_packets',
      'broadcast_packets',
      'undersize_packets',
      'size_64_packets',
      'size_65_127_packets',
      'size_128_255_packets',
      'size_256_511_packets',
      'size_512_1023_packets',
      'size_1024_1518_packets',
      'size_1519_max_packets',
      'guest_notifications',
      'guest_notifications_error',
      'guest_notifications_suppressed',
      'iotlb_hits',
      'iotlb_misses',
      'mbuf_alloc_failed',
    ])
      expect(stats.has(name), name).toBe(true);
    expect(stats.get('good_packets')).toBe(2n);
    expect(stats.get('size_64_packets')).toBe(1n);
    expect(stats.get('size_1024_1518_packets')).toBe(1n);
    device.vring(1).resetStats();
    expect(device.vring(1).stats().get('good_packets')).toBe(0n);

    const off = register({ netStats: false }, `${path}2`).start();
    guests.push(await FakeFrontend.connect(`${path}2`));
    const silent = await ready(off);
    expect(() => silent.vring(0).stats()).toThrow(/statistics are off/);
  });

  it('A99, A100: descriptors that nobody needs are taken and closed', async () => {
    const socket = register().start();
    const guest = await connect();
    await ready(socket);
    const fds = () => readdirSync('/proc/self/fd').length;
    const [before, fd] = [fds(), native.eventfdCreate()];
    await guest.client.setVringErr(0, fd);
    await guest.client.setLogFd(fd);
    native.closeFd(fd);
    // Answered behind them.
    await guest.client.getFeatures();
    expect(fds()).toBe(before);
    expect(problems).toEqual([]);
  });

  it('A46, A101: GET_VRING_BASE ends what a ring does, and says where it stands', async () => {
    const socket = register().start();
    const guest = await connect({ start: 65_535 });
    const device = await ready(socket);
    const [rx, burst] = [device.receiver(0, pool), eal.burst(8)];
    guest.send([makeFrame(1, 60), makeFrame(2, 60)]);
    expect(rx.burst(burst)).toBe(2);
    burst.free();
    expect(await guest.client.getVringBase(1)).toBe(1);
    expect(device.ready).toBe(false);
    guest.send([makeFrame(3, 60)]);
    expect(rx.burst(burst)).toBe(0);
  });
});

describe('extern message handlers (B.4)', () => {
  it('see every message before and after the built-in ones, and may answer or refuse', async () => {
    const seen: string[] = [];
    const socket = register({
      extraProtocolFeatures: ProtocolFeature.SHARED_OBJECT,
      extern: {
        before: ({ id, name, payload }) => {
          if (name === 'SET_VRING_NUM') seen.push(`before ${name} ${payload[0]}`);
          if (name === 'GET_QUEUE_NUM') return { reply: Uint8Array.of(42, 0, 0, 0, 0, 0, 0, 0) };
          if (name === 'SET_VRING_ERR') return refuse('not with me');
          return id === 1000 ? 'handled' : 'not-handled';
        },
        after: ({ name }, handled) => {
          if (name === 'SET_VRING_NUM') seen.push(`after ${name} ${handled}`);
          return 'not-handled';
        },
      },
    }).start();
    const guest = await connect();
    expect(guest.negotiated.queueNum).toBe(42);
    const device = await ready(socket);
    expect(device.vring(0).info.size).toBe(256);
    expect(seen).toEqual([
      'before SET_VRING_NUM 0',
      'after SET_VRING_NUM true',
      'before SET_VRING_NUM 1',
      'after SET_VRING_NUM true',
    ]);
    await expect(guest.client.setVringErr(0, undefined)).rejects.toThrow();
    expect(problems.join()).toMatch(/not with me/);
    expect(await guest.client.getProtocolFeatures()).toBe(socket.protocolFeatures);
    expect(socket.protocolFeatures & ProtocolFeature.SHARED_OBJECT).toBe(ProtocolFeature.SHARED_OBJECT);
  });
});
