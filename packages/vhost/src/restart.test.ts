/**
 * A vhost socket that ends and comes back under a front-end that stays (features.md A53 to A57, A91 to A94; features: A93): where rings go on, what the
 * in-flight region adds, which features must be the same, and how a client waits for its server.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Mempool } from '@pollwire/ethdev';
import { Eal } from '@pollwire/ethdev';
import { native, sys } from '@pollwire/native';
import { FakeFrontend, makeFrame } from '@pollwire/testkit';
import type { InflightArea } from '@pollwire/vhost-user';
import {
  Acceptor,
  Feature,
  FrontendClient,
  nativeSocket,
  negotiate,
  ProtocolFeature,
  startDevice,
} from '@pollwire/vhost-user';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VhostDevice, VhostOptions } from './index.js';
import { offeredFeatures, VhostSocket } from './index.js';

const FEATURES =
  Feature.VIRTIO_F_VERSION_1 | Feature.VIRTIO_NET_F_MRG_RXBUF | Feature.VHOST_USER_F_PROTOCOL_FEATURES;
const PROTOCOL =
  ProtocolFeature.MQ |
  ProtocolFeature.REPLY_ACK |
  ProtocolFeature.STATUS |
  ProtocolFeature.CONFIGURE_MEM_SLOTS |
  ProtocolFeature.INFLIGHT_SHMFD;

const dir = mkdtempSync(join(tmpdir(), 'pw-restart-'));
const path = join(dir, 's0');
let eal: Eal;
let pool: Mempool;

beforeAll(async () => {
  eal = await Eal.init({ memory: 64, huge: 'never' }, () => undefined);
  pool = eal.createPool({ name: 'restart', size: 1024 });
});
afterAll(async () => {
  await eal.close();
  rmSync(dir, { recursive: true });
});

async function until(what: string, probe: () => boolean): Promise<void> {
  for (let end = performance.now() + 5000; !probe(); ) {
    if (performance.now() > end) throw new Error(`not within 5 s: ${what}`);
    await sleep(2);
  }
}

/** One life of the back-end. */
class Life {
  readonly problems: string[] = [];
  readonly socket: VhostSocket;
  device: VhostDevice | undefined;

  constructor(options: VhostOptions = {}) {
    this.socket = new VhostSocket(path, options)
      .on('new_device', (device) => {
        this.device = device;
      })
      .on('problem', (text) => this.problems.push(text));
    this.socket.start();
  }

  async ready(): Promise<VhostDevice> {
    await until('a device', () => this.device !== undefined);
    return this.device as VhostDevice;
  }
}

/** Takes up to `most` frames in one burst; their first payload bytes. */
function take(device: VhostDevice, most: number): number[] {
  const burst = eal.burst(64);
  const receiver = device.receiver(0, pool);
  const got = receiver.burst(burst, most);
  const numbers = Array.from({ length: got }, (_, i) => eal.mbufs.toBytes(burst.at(i))[14] ?? -1);
  burst.free();
  receiver.close();
  return numbers;
}

const numbered = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => from + i);
const frames = (from: number, to: number): Uint8Array[] =>
  numbered(from, to).map((number) => {
    const frame = makeFrame(number, 100);
    frame[14] = number;
    return frame;
  });

type Region = { area: InflightArea; fd: number };

/** The same front-end, connected again: its rings are where they were, and it says `base`. */
async function comeBack(
  guest: FakeFrontend,
  base: number,
  region?: 'get' | Region,
): Promise<{ client: FrontendClient; region: Region | undefined }> {
  const client = new FrontendClient(nativeSocket(sys.connectUnix(path)));
  const { features } = await negotiate(client, { features: FEATURES, protocolFeatures: PROTOCOL });
  const wish = { mmapSize: 0n, mmapOffset: 0n, numQueues: 2, queueSize: 256 };
  const kept = region === 'get' ? await client.getInflight(wish) : region;
  if (kept !== undefined) await client.setInflight(kept.area, kept.fd);
  const { memory } = guest;
  const vrings = guest.rings.map((ring, index) => ({
    index,
    size: ring.size,
    desc: memory.userAddr(ring.desc),
    avail: memory.userAddr(ring.avail),
    used: memory.userAddr(ring.used),
    base,
  }));
  await startDevice(client, { features, regions: [memory.region], vrings });
  return { client, region: kept };
}

describe('a back-end that comes back', () => {
  it('goes on at the used index whatever base it is given, with and without an in-flight region', async () => {
    const first = new Life();
    const guest = await FakeFrontend.connect(path, { features: FEATURES });
    expect(guest.send(frames(0, 10))).toBe(10);
    expect(take(await first.ready(), 4)).toEqual(numbered(0, 4));
    await first.socket.close();

    // DPDK's virtio-user says 0.
    const second = new Life();
    const { client, region } = await comeBack(guest, 0, 'get');
    expect(take(await second.ready(), 3)).toEqual(numbered(4, 7));
    expect(region?.area).toMatchObject({ numQueues: 2, queueSize: 256, mmapOffset: 0n });
    expect(second.device?.session?.protocolFeatures).toBe(PROTOCOL);
    expect(native.describeFd(region?.fd ?? -1)).toMatchObject({ size: Number(region?.area.mmapSize) });
    await expect(client.setInflight(region?.area as InflightArea, region?.fd ?? -1)).rejects.toThrow();
    await second.socket.close();

    const third = new Life();
    await comeBack(guest, 12345, region as Region);
    expect(take(await third.ready(), 64)).toEqual(numbered(7, 10));
    expect(guest.rings[1]?.collect()).toHaveLength(10);
    await third.socket.close();
    native.closeFd(region?.fd ?? -1);
    await guest.close();
  });

  it('refuses regions that do not fit what is said of them', async () => {
    const life = new Life();
    const client = new FrontendClient(nativeSocket(sys.connectUnix(path)));
    await negotiate(client, { features: FEATURES, protocolFeatures: PROTOCOL });
    const area = { mmapSize: 4096n, mmapOffset: 0n, numQueues: 2, queueSize: 256 };
    const fd = native.memfdCreate('small', 4096);
    await expect(client.setInflight(area, fd)).rejects.toThrow('refused SET_INFLIGHT_FD');
    expect(life.problems.join('\n')).toContain('an in-flight region of 4096 bytes for 2 rings of 256');
    await expect(client.setInflight({ ...area, mmapSize: 65536n }, fd)).rejects.toThrow(
      'refused SET_INFLIGHT_FD',
    );
    expect(life.problems.join('\n')).toContain('the file has only 0x1000 bytes');
    expect(await client.getMaxMemorySlots()).toBe(509);
    native.closeFd(fd);
    client.close();
    await life.socket.close();
  });
});

describe('features over a restart', () => {
  it('names those that the driver still uses and that are not offered any more', async () => {
    const segmentation = Feature.VIRTIO_NET_F_CSUM | Feature.VIRTIO_NET_F_HOST_TSO4;
    const before = new Life({ features: offeredFeatures({ tso: true }) });
    const guest = await FakeFrontend.connect(path, { features: FEATURES | segmentation });
    await before.ready();
    await before.socket.close();
    const after = new Life();
    // As a front-end that does not look at what is offered.
    const rude = new FrontendClient(nativeSocket(sys.connectUnix(path)));
    await negotiate(rude, { features: FEATURES, protocolFeatures: PROTOCOL });
    await expect(rude.tell('SET_FEATURES', FEATURES | segmentation)).rejects.toThrow();
    rude.close();
    await rude.closed;
    expect(after.problems.join('\n')).toMatch(/not offered: VIRTIO_NET_F_HOST_TSO4; .*start with tso=1/);
    // As QEMU, which looks, and leaves.
    await until('the place to be free', () => after.socket.device === undefined);
    const polite = new FrontendClient(nativeSocket(sys.connectUnix(path)));
    await polite.getFeatures();
    polite.close();
    await until('an explanation', () => after.problems.some((text) => text.includes('left')));
    expect(after.problems.at(-1)).toMatch(
      /Negotiated before and not offered now: VIRTIO_NET_F_HOST_TSO4; .*start with tso=1/,
    );
    await after.socket.close();
    await guest.close();
  });
});

describe('a client', () => {
  it('without reconnect fails at once, and says why', () => {
    const absent = join(dir, 'absent');
    const begin = performance.now();
    const socket = new VhostSocket(absent, { client: true, noReconnect: true });
    expect(() => socket.start()).toThrow(/cannot connect to .*absent.*is the server running\?/);
    expect(performance.now() - begin).toBeLessThan(200);
  });

  it('is there within a quarter of a second after its server, each time', async () => {
    const server = join(dir, 'server');
    const socket = new VhostSocket(server, { client: true }).start();
    for (let round = 0; round < 3; round++) {
      let arrived = 0;
      const begin = performance.now();
      const acceptor = new Acceptor(server, {
        connected: (link) => {
          arrived = performance.now();
          const client = new FrontendClient(link);
          setTimeout(() => client.close(), 5);
          return client;
        },
        failed: (error) => {
          throw error;
        },
      });
      await until('the client', () => arrived > 0);
      expect(arrived - begin).toBeLessThan(400);
      acceptor.close();
      await until('its end', () => socket.device === undefined);
    }
    await socket.close();
  });
});
