/** The same sessions on real sockets with real descriptors. */
import { fstatSync, readdirSync, readlinkSync } from 'node:fs';
import { native, sys } from '@pollwire/native';
import { describe, expect, it, vi } from 'vitest';
import { BackendSession } from './backend.js';
import { encodeRequest } from './codec.js';
import { Feature } from './features.js';
import { FrontendClient } from './frontend.js';
import { negotiate, startDevice } from './frontend-setup.js';
import { FRONTEND_REQUESTS } from './messages.js';
import { nativeSocket } from './native-socket.js';
import { ProtocolFeature } from './protocol-features.js';
import { NET_FEATURES } from './testing/backend-bench.js';
import { RecordingDevice } from './testing/recording-device.js';
import { REGION } from './testing/samples.js';

const openFds = () => readdirSync('/proc/self/fd').length;
/** What is behind a descriptor: `/memfd:guest (deleted)`, `anon_inode:[eventfd]`. */
const behind = (fd: number) => readlinkSync(`/proc/self/fd/${fd}`);

function session() {
  const [near, far] = sys.socketPair();
  const device = new RecordingDevice();
  const options = { features: NET_FEATURES, vringCount: 2 };
  return { session: new BackendSession(nativeSocket(near), device, options).start(), device, far };
}

describe('real sockets', () => {
  it('carry a whole start, with descriptors that are the same files', async () => {
    const { session: backend, device, far } = session();
    const before = openFds();
    const client = new FrontendClient(nativeSocket(far));
    const wishes = {
      features: NET_FEATURES,
      protocolFeatures: ProtocolFeature.REPLY_ACK | ProtocolFeature.STATUS,
    };
    const { features } = await negotiate(client, wishes);
    const memory = native.memfdCreate('guest', 0x10_0000);
    const kick = native.eventfdCreate();
    const call = native.eventfdCreate();
    await startDevice(client, {
      features,
      regions: [{ ...REGION, fd: memory }],
      vrings: [0, 1].map((index) => ({
        index,
        size: 256,
        desc: REGION.userAddr,
        avail: REGION.userAddr + 0x1000n,
        used: REGION.userAddr + 0x2000n,
        kickFd: kick,
        callFd: call,
      })),
    });
    expect(device.taken.filter((fd) => behind(fd) === 'anon_inode:[eventfd]')).toHaveLength(4);
    const received = device.taken.filter((fd) => behind(fd).startsWith('/memfd:guest'));
    expect(received.map((fd) => fstatSync(fd).ino)).toEqual([fstatSync(memory).ino]);
    expect(backend.live).toBe(true);

    client.close();
    await expect(backend.closed).resolves.toMatchObject({ code: 'VHOST_PEER_CLOSED' });
    for (const fd of [...device.taken, memory, kick, call]) {
      sys.close(fd);
    }
    // The two sockets are gone as well.
    expect(openFds()).toBe(before - 2);
  });

  it('deliver each descriptor with its message, however writes are cut and glued', async () => {
    const { session: backend, device, far } = session();
    const get = encodeRequest(FRONTEND_REQUESTS.GET_FEATURES, undefined);
    const call = (index: number) => encodeRequest(FRONTEND_REQUESTS.SET_VRING_CALL, { index, noFd: false });
    const eventfd = native.eventfdCreate();
    const memfd = native.memfdCreate('other', 4096);
    sys.send(far, Uint8Array.from([...get, ...get]));
    sys.send(far, call(0), [eventfd]);
    sys.send(far, get);
    sys.send(far, call(1).subarray(0, 1), [memfd]);
    for (const byte of call(1).subarray(1)) {
      sys.send(far, Uint8Array.of(byte));
    }
    await vi.waitFor(() => expect(device.taken).toHaveLength(2));
    expect(device.calls.filter(([name]) => name === 'setVringCall')).toEqual([
      ['setVringCall', 0, true],
      ['setVringCall', 1, true],
    ]);
    expect(device.taken.map(behind)).toEqual([behind(eventfd), behind(memfd)]);
    for (const fd of [...device.taken, eventfd, memfd, far]) {
      sys.close(fd);
    }
    await backend.closed;
  });

  it('with descriptors in the middle, with too many, with a peer that shuts one direction: close without a leak', async () => {
    const before = openFds();
    const num = encodeRequest(FRONTEND_REQUESTS.SET_VRING_NUM, { index: 0, num: 256 });
    const eventfd = native.eventfdCreate();
    const cases: ((far: number) => void)[] = [
      (far) => {
        sys.send(far, num.subarray(0, 12));
        sys.send(far, num.subarray(12), [eventfd]);
      },
      (far) =>
        void sys.send(
          far,
          num,
          Array.from({ length: 253 }, () => eventfd),
        ),
      (far) => native.socketShutdown(far),
    ];
    for (const [at, act] of cases.entries()) {
      const { session: backend, far } = session();
      act(far);
      const reason = await backend.closed;
      expect(reason.code, `case ${at}`).toMatch(/^VHOST_(STRAY_FDS|BAD_FD_COUNT|FDS_TRUNCATED|PEER_CLOSED)$/);
      sys.close(far);
    }
    sys.close(eventfd);
    expect(openFds()).toBe(before);
  });

  it('whose peer vanishes between request and reply end quietly', async () => {
    const { session: backend, far } = session();
    sys.send(far, encodeRequest(FRONTEND_REQUESTS.GET_FEATURES, undefined));
    sys.close(far);
    await expect(backend.closed).resolves.toMatchObject({ code: 'VHOST_PEER_CLOSED', by: 'peer' });
  });

  it('give the device a channel, and refuse what is no socket', async () => {
    const { session: backend, device, far } = session();
    const client = new FrontendClient(nativeSocket(far));
    await client.getFeatures();
    await client.setProtocolFeatures(
      ProtocolFeature.REPLY_ACK | ProtocolFeature.BACKEND_REQ | ProtocolFeature.CONFIG,
    );
    await client.setFeatures(Feature.VHOST_USER_F_PROTOCOL_FEATURES);
    const file = native.memfdCreate('not a socket', 4096);
    const refused = client.tell('SET_BACKEND_REQ_FD', undefined, [{ fd: file, close: true }]);
    await expect(refused).rejects.toMatchObject({ code: 'VHOST_NACK' });
    const [ours, theirs] = sys.socketPair();
    const heard = vi.fn();
    await client.openChannel(nativeSocket(ours), theirs, { configChanged: heard });
    await device.channel?.configChanged();
    expect(heard).toHaveBeenCalledTimes(1);
    client.close();
    await backend.closed;
  });
});
