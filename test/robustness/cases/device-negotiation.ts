/** Rows 32 to 46: features, states and values that were not agreed. */
import assert from 'node:assert/strict';
import { native } from '@pollwire/native';
import type { FrontendRequestName, PayloadOf } from '@pollwire/vhost-user';
import { CODECS, DeviceStatus, Feature, FRONTEND_REQUESTS, ProtocolFeature } from '@pollwire/vhost-user';
import { until } from '../bench.js';
import type { DeviceCase } from '../case.js';
import { deviceCase } from '../case.js';
import type { FrontBench } from '../front-bench.js';
import type { RawFrontend } from '../peers/raw-frontend.js';

const NACK = 1n;
const ALL = ProtocolFeature.REPLY_ACK | ProtocolFeature.MQ | ProtocolFeature.STATUS;

/** A connection with REPLY_ACK and STATUS. */
async function negotiated(bench: FrontBench): Promise<RawFrontend> {
  const peer = await bench.connect();
  await peer.negotiate(Feature.VIRTIO_F_VERSION_1, ALL);
  return peer;
}

/** The message is refused with an answer, and the connection goes on. */
async function nacks<N extends FrontendRequestName>(
  peer: RawFrontend,
  name: N,
  payload: PayloadOf<N>,
  fds: readonly number[] = [],
): Promise<void> {
  assert.equal(await peer.ask(name, payload, fds), NACK, `${name} ${JSON.stringify(payload, big)}`);
  assert.equal(peer.gone, false);
  assert.notEqual(await peer.getFeatures(), 0n);
}

/** The message is refused with an answer or without one, and the connection closes. */
async function ends<N extends FrontendRequestName>(
  bench: FrontBench,
  peer: RawFrontend,
  name: N,
  payload: PayloadOf<N>,
  reason: RegExp,
): Promise<void> {
  bench.bench.lines.length = 0;
  peer.send(name, payload, { needReply: true });
  await bench.expectClosed(peer, reason, name);
}

const big = (_key: string, value: unknown) => (typeof value === 'bigint' ? value.toString() : value);

const features: readonly DeviceCase[] = [
  deviceCase(32, 'features that were not offered', async (bench) => {
    const peer = await negotiated(bench);
    for (const word of [1n << 63n, 0xffff_ffff_ffff_ffffn, Feature.VIRTIO_NET_F_HOST_TSO4]) {
      await nacks(peer, 'SET_FEATURES', word);
    }
    assert.equal(await peer.ask('SET_FEATURES', Feature.VIRTIO_F_VERSION_1), 0n);
  }),
  deviceCase(
    33,
    'other features while a ring runs',
    async (bench) => {
      const guest = await bench.guest();
      await nacks(
        guest.peer,
        'SET_FEATURES',
        Feature.VIRTIO_F_VERSION_1 | Feature.VHOST_USER_F_PROTOCOL_FEATURES,
      );
      const { port } = await bench.target();
      assert.equal(port.link.up, true, 'nothing has changed');
    },
    ['split', 'packed'],
  ),
  deviceCase(35, 'another ring format after the rings were described', async (bench) => {
    const peer = await negotiated(bench);
    assert.equal(await peer.ask('SET_VRING_NUM', { index: 0, num: 256 }), 0n);
    const packed = Feature.VIRTIO_F_VERSION_1 | Feature.VIRTIO_F_RING_PACKED;
    assert.equal(await peer.ask('SET_FEATURES', packed), 0n);
    const fd = native.eventfdCreate();
    assert.equal(await peer.ask('SET_VRING_KICK', { index: 0, noFd: false }, [fd]), 0n);
    native.closeFd(fd);
    const { port } = await bench.target();
    assert.match(port.privateInfo().not_ready_because ?? '', /no size/, 'the size is to be said again');
  }),
  deviceCase(36, 'protocol features too early, unoffered, and others the second time', async (bench) => {
    const early = await bench.connect();
    await ends(bench, early, 'SET_PROTOCOL_FEATURES', ALL, /before GET_FEATURES/);
    const peer = await negotiated(bench);
    await nacks(peer, 'SET_PROTOCOL_FEATURES', 1n << 60n);
    await nacks(peer, 'SET_PROTOCOL_FEATURES', ProtocolFeature.REPLY_ACK);
    assert.equal(await peer.ask('SET_PROTOCOL_FEATURES', ALL), 0n, 'the same again is what QEMU does');
  }),
  deviceCase(37, 'in-band notifications without what they need', async (bench) => {
    const peer = await bench.connect();
    await peer.getFeatures();
    const alone = ProtocolFeature.INBAND_NOTIFICATIONS;
    await ends(bench, peer, 'SET_PROTOCOL_FEATURES', alone, /INBAND_NOTIFICATIONS/);
  }),
  deviceCase(38, 'messages whose protocol feature was not agreed', async (bench) => {
    const { path } = await bench.target();
    assert.ok(path);
    for (const row of Object.values(FRONTEND_REQUESTS)) {
      const needs = row.feature === undefined ? 0n : ProtocolFeature[row.feature];
      if (needs === 0n || (ALL & needs) !== 0n) continue;
      const peer = await negotiated(bench);
      const fds = Array.from({ length: row.fds.min }, () => native.eventfdCreate());
      peer.raw(row.id, new Uint8Array(CODECS[row.payload].min), { needReply: true, fds });
      for (const fd of fds) native.closeFd(fd);
      peer.send('GET_FEATURES', undefined);
      const answer = await peer.answer();
      assert.ok(answer === undefined || (answer.request === row.id && answer.u64 !== 0n), row.name);
      peer.close();
      await bench.expectServes();
    }
  }),
];

const order: readonly DeviceCase[] = [
  deviceCase(39, 'no SET_OWNER, and twice', async (bench) => {
    const peer = await negotiated(bench);
    assert.equal(await peer.ask('SET_OWNER', undefined), 0n);
    assert.equal(await peer.ask('SET_OWNER', undefined), 0n);
    const other = peer;
    assert.notEqual(await other.getFeatures(), 0n);
  }),
  deviceCase(
    40,
    'RESET_OWNER while packets flow',
    async (bench) => {
      const guest = await bench.guest();
      const { port } = await bench.target();
      guest.frame();
      guest.rings[1].offer([{ addr: guest.data(), length: 72 }]);
      assert.equal(bench.receive(port), 1);
      assert.equal(await guest.peer.ask('RESET_OWNER', undefined), 0n);
      await until('the link to go down', () => !port.link.up);
      guest.rings[1].offer([{ addr: guest.data(), length: 72 }]);
      assert.equal(bench.receive(port), 0, 'the rings are not touched any more');
    },
    ['split', 'packed'],
  ),
  deviceCase(41, 'statuses that cannot be', async (bench) => {
    const peer = await negotiated(bench);
    const { ACKNOWLEDGE, DRIVER, DRIVER_OK } = DeviceStatus;
    await nacks(peer, 'SET_STATUS', 0x100n);
    await nacks(peer, 'SET_STATUS', 0xffff_ffff_ffff_ffffn);
    await nacks(peer, 'SET_STATUS', BigInt(ACKNOWLEDGE | DRIVER | DRIVER_OK));
    assert.equal(await peer.ask('SET_STATUS', 0n), 0n, 'a reset');
  }),
  deviceCase(42, 'MTUs that are none', async (bench) => {
    const peer = await bench.connect();
    await peer.negotiate(Feature.VIRTIO_F_VERSION_1, ALL | ProtocolFeature.NET_MTU);
    for (const mtu of [0n, 67n, 65_536n, 1n << 63n]) await nacks(peer, 'NET_SET_MTU', mtu);
    assert.equal(await peer.ask('NET_SET_MTU', 1500n), 0n);
  }),
  deviceCase(44, 'the byte order of rings, which is not offered', async (bench) => {
    const peer = await negotiated(bench);
    await nacks(peer, 'SET_VRING_ENDIAN', { index: 0, num: 1 });
  }),
  deviceCase(
    46,
    'every message in every state',
    async (bench) => {
      // Each state anew for each message: nothing is known about what the last one did.
      const states: readonly ((bench: FrontBench) => Promise<RawFrontend>)[] = [
        (b) => b.connect(),
        (b) => negotiated(b),
        async (b) => (await b.guest()).peer,
      ];
      const { port } = await bench.target();
      // What comes before the rings is the same in both formats.
      for (const state of bench.format === 'packed' ? states.slice(2) : states) {
        for (const row of Object.values(FRONTEND_REQUESTS)) {
          const peer = await state(bench);
          const takesFd = row.payload === 'vringFd' || row.fds.min > 0;
          const fds = takesFd ? [native.eventfdCreate()] : [];
          peer.raw(row.id, new Uint8Array(CODECS[row.payload].min), { needReply: true, fds });
          for (const fd of fds) native.closeFd(fd);
          peer.bytes(Uint8Array.of(1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0));
          const answered = await peer.answer();
          assert.ok(answered !== undefined || peer.gone);
          bench.receive(port);
          bench.drop();
          await bench.expectServes();
        }
      }
    },
    ['split', 'packed'],
  ),
];

export const DEVICE_NEGOTIATION: readonly DeviceCase[] = [...features, ...order];
