/** Rows 153 to 157: a back-end that lies, or is silent, in the messages of the protocol. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { native, PollwireError } from '@pollwire/native';
import type { FrontendRequestName } from '@pollwire/vhost-user';
import {
  encodeMessage,
  Feature,
  FLAG_NEED_REPLY,
  FLAG_REPLY,
  FRONTEND_REQUESTS,
  VERSION,
} from '@pollwire/vhost-user';
import { until } from '../bench.js';
import type { DriverCase } from '../case.js';
import { driverCase } from '../case.js';
import type { Attacked, DriverBench, PortOptions } from '../driver-bench.js';
import { RX } from '../driver-bench.js';
import type { Reply } from '../peers/hostile-backend.js';
import { PLAIN_FEATURES } from '../peers/hostile-backend.js';

const REPLY_TIMEOUT = 5000;
const REPLY = VERSION | FLAG_REPLY;

type Twist = (id: number, payload: Uint8Array) => Exclude<Reply, undefined>;

/** A header whose size is not that of what follows. */
function sized(id: number, size: number, payload: Uint8Array): Uint8Array {
  const bytes = encodeMessage(id, REPLY, payload);
  new DataView(bytes.buffer).setUint32(8, size, true);
  return bytes;
}

/** Wrong replies, by what is wrong with them. */
const TWISTS: Readonly<Record<string, Twist>> = {
  'the reply to another request': (_id, payload) => ({ bytes: encodeMessage(2, REPLY, payload) }),
  'the reply to a request that does not exist': (_id, payload) => ({
    bytes: encodeMessage(99, REPLY, payload),
  }),
  'one byte less': (id, payload) => ({ bytes: encodeMessage(id, REPLY, payload.subarray(1)) }),
  'one byte more': (id, payload) => ({ bytes: encodeMessage(id, REPLY, new Uint8Array(payload.length + 1)) }),
  'no payload': (id) => ({ bytes: encodeMessage(id, REPLY, new Uint8Array(0)) }),
  'a size of 4 GiB': (id, payload) => ({ bytes: sized(id, 0xffff_ffff, payload) }),
  'a size of 4097': (id, payload) => ({ bytes: sized(id, 4097, payload) }),
  'no reply bit': (id, payload) => ({ bytes: encodeMessage(id, VERSION, payload) }),
  'a need-reply bit': (id, payload) => ({ bytes: encodeMessage(id, REPLY | FLAG_NEED_REPLY, payload) }),
  'another version': (id, payload) => ({ bytes: encodeMessage(id, 2 | FLAG_REPLY, payload) }),
  'reserved flags': (id, payload) => ({ bytes: encodeMessage(id, REPLY | 0xfff0, payload) }),
};

/** Replies to `name` with a twist, to everything else as usual. */
function twisted(name: FrontendRequestName, twist: Twist): PortOptions {
  const answer = (request: FrontendRequestName, usual: Reply) =>
    request === name && usual !== undefined
      ? twist(FRONTEND_REQUESTS[name].id, usual.bytes.slice(12))
      : usual;
  return { script: { answer } };
}

function silentAt(name: FrontendRequestName): PortOptions {
  return { script: { answer: (request, usual) => (request === name ? undefined : usual) } };
}

/** The attach fails with a code and one line. */
async function refusesAttach(bench: DriverBench, options: PortOptions, text: RegExp): Promise<void> {
  const { backend, devargs } = bench.prepare(options);
  const error = await bench.bench.eal.attach(devargs).then(
    () => assert.fail('the attach succeeded'),
    (error: unknown) => error,
  );
  assert.ok(error instanceof PollwireError, String(error));
  assert.match(error.message, text);
  assert.ok(!error.message.includes('\n'));
  await until('the connection to be closed', () => !backend.connected);
}

/** Start fails with a code and one line; an honest back-end afterwards is taken. */
async function refusesStart(bench: DriverBench, options: PortOptions, text: RegExp): Promise<void> {
  const attacked = await bench.attach(options);
  const { port, backend } = attacked;
  await assert.rejects(port.start(), (error: unknown) => {
    assert.ok(error instanceof PollwireError, String(error));
    assert.match(error.message, text);
    return true;
  });
  assert.equal(port.link.up, false);
  await recovers(bench, attacked);
  await bench.release(port, backend);
}

/** The back-end behaves again: the port finds it by itself. */
async function recovers(bench: DriverBench, attacked: Attacked): Promise<void> {
  const { port, backend } = attacked;
  const { features, queueNum } = backend.script;
  backend.script = { ...(features && { features }), ...(queueNum && { queueNum }) };
  const before = backend.connections;
  await until('another connection', () => backend.connected && backend.connections > before - 1);
  if (port.state !== 'started') await port.start();
  await until('the link', () => port.link.up);
  bench.deliver(backend, backend.ring(RX), [], [new Uint8Array(60)]);
  assert.equal(bench.receive(port).length, 1);
}

function wrongReplies(): DriverCase[] {
  return Object.entries(TWISTS).map(([what, twist]) =>
    driverCase(
      153,
      what,
      async (bench) => {
        await refusesAttach(bench, twisted('GET_FEATURES', twist), /GET_FEATURES|request/);
        await refusesStart(bench, twisted('SET_MEM_TABLE', twist), /SET_MEM_TABLE|request/);
      },
      'once',
    ),
  );
}

function wrongFds(): DriverCase {
  return driverCase(
    153,
    'descriptors that nobody asked for',
    async (bench) => {
      const fds = Array.from({ length: 8 }, () => native.eventfdCreate());
      const twist: Twist = (id, payload) => ({ bytes: encodeMessage(id, REPLY, payload), fds });
      await refusesAttach(bench, twisted('GET_FEATURES', twist), /file descriptors/);
      await refusesStart(bench, twisted('SET_VRING_NUM', twist), /file descriptors/);
      for (const fd of fds) native.closeFd(fd);
    },
    'once',
  );
}

function unasked(row: number, what: string, bytes: () => Uint8Array, text: RegExp): DriverCase {
  return driverCase(
    row,
    what,
    async (bench) => {
      const attacked = await bench.start();
      const { backend, downs } = attacked;
      bench.bench.lines.length = 0;
      for (let i = 0; i < 50; i++) backend.send(bytes());
      await until('the link to go down', () => downs() === 1);
      const lines = bench.bench.logged(/the back-end is gone/);
      assert.equal(lines.length, 1, bench.bench.lines.join('\n'));
      assert.match(lines[0] as string, text);
      await recovers(bench, attacked);
    },
    'once',
  );
}

const ATTACH_STEPS = ['GET_FEATURES', 'GET_PROTOCOL_FEATURES', 'GET_QUEUE_NUM'] as const;
const START_STEPS = [
  'SET_VRING_CALL',
  'SET_FEATURES',
  'SET_STATUS',
  'GET_STATUS',
  'SET_MEM_TABLE',
  'SET_VRING_NUM',
  'SET_VRING_BASE',
  'SET_VRING_ADDR',
  'SET_VRING_KICK',
  'SET_VRING_ENABLE',
] as const;

/** All at once, since each takes as long as a driver waits. */
function silence(): DriverCase {
  return driverCase(
    154,
    'silence at every step that has a reply',
    async (bench) => {
      const begin = performance.now();
      const within = (name: string) => new RegExp(`no reply to ${name} within ${REPLY_TIMEOUT} ms`);
      await Promise.all([
        ...ATTACH_STEPS.map((name) => refusesAttach(bench, silentAt(name), within(name))),
        ...START_STEPS.map((name) => refusesStart(bench, silentAt(name), within(name))),
        late(bench),
      ]);
      assert.ok(performance.now() - begin < REPLY_TIMEOUT + 4000);
    },
    'once',
  );
}

/** The reply comes when nobody waits for it any more. */
async function late(bench: DriverBench): Promise<void> {
  let waiting: ReturnType<typeof setTimeout> | undefined;
  const attacked = await bench.attach({
    script: {
      answer(name, usual, backend) {
        if (name !== 'SET_MEM_TABLE') return usual;
        waiting = setTimeout(() => usual && backend.send(usual.bytes), REPLY_TIMEOUT + 300);
        return undefined;
      },
    },
  });
  await assert.rejects(attacked.port.start(), /no reply to SET_MEM_TABLE/);
  attacked.backend.script = { features: PLAIN_FEATURES };
  await sleep(400);
  clearTimeout(waiting);
  // The new connection got a reply that it did not ask for, or the old one's came before: either way the port is of use in the end.
  await until('the link', () => attacked.port.link.up || attacked.port.state !== 'started');
  await recovers(bench, attacked);
  await bench.release(attacked.port, attacked.backend);
}

function features(): DriverCase[] {
  const refuses = (what: string, script: PortOptions['script'], text: RegExp) =>
    driverCase(
      155,
      what,
      (bench) => refusesAttach(bench, script === undefined ? {} : { script }, text),
      'once',
    );
  return [
    refuses('no feature at all', { features: 0n }, /does not offer VIRTIO_F_VERSION_1/),
    refuses(
      'everything but VERSION_1',
      { features: ~Feature.VIRTIO_F_VERSION_1 & 0xffff_ffff_ffff_ffffn },
      /VIRTIO_F_VERSION_1/,
    ),
    refuses('no queue', { queueNum: 0n }, /0 queue pairs/),
    driverCase(
      155,
      'every feature and protocol feature that has a bit',
      async (bench) => {
        const script = { features: 0xffff_ffff_ffff_ffffn, protocolFeatures: 0xffff_ffff_ffff_ffffn };
        const { port } = await bench.start({ script });
        assert.match(port.privateInfo().features ?? '', /VIRTIO_F_VERSION_1/);
      },
      'once',
    ),
    driverCase(
      155,
      '2^63 queues',
      async (bench) => {
        const attacked = await bench.start({ script: { features: PLAIN_FEATURES, queueNum: 1n << 63n } });
        await bench.expectUsable(attacked);
      },
      'once',
    ),
  ];
}

function restarts(): DriverCase[] {
  const back = async (bench: DriverBench, attacked: Attacked) => {
    await until('the link', () => attacked.port.link.up);
    bench.deliver(attacked.backend, attacked.backend.ring(RX), [], [new Uint8Array(60)]);
    assert.equal(bench.receive(attacked.port).length, 1);
  };
  return [
    driverCase(157, 'comes back with other features', async (bench) => {
      const packed = bench.format === 'packed';
      const attacked = await bench.start({ script: packed ? {} : {} });
      const { backend, port } = attacked;
      const without = [
        Feature.VIRTIO_NET_F_MRG_RXBUF,
        Feature.VIRTIO_F_INDIRECT_DESC,
        Feature.VIRTIO_F_RING_PACKED,
      ];
      const first = backend.script.features ?? PLAIN_FEATURES;
      for (const feature of without) {
        backend.script = { features: first & ~feature };
        backend.hangUp();
        await until('the link to go down', () => !port.link.up);
        await back(bench, attacked);
        assert.equal(
          port.privateInfo().features?.includes('MRG_RXBUF'),
          feature !== Feature.VIRTIO_NET_F_MRG_RXBUF,
        );
      }
      assert.equal(port.privateInfo().ring, 'split', 'without packed rings at the back-end');
    }),
    driverCase(
      157,
      'comes back with fewer queues, then without VERSION_1',
      async (bench) => {
        const attacked = await bench.start();
        const { backend, port } = attacked;
        bench.bench.lines.length = 0;
        backend.script = { queueNum: 0n };
        backend.hangUp();
        await until('the line', () => bench.bench.logged(/has 0 queue pairs, this port uses 1/).length > 0);
        assert.equal(port.link.up, false);
        backend.script = { features: Feature.VIRTIO_NET_F_MRG_RXBUF };
        await until('the line', () => bench.bench.logged(/does not offer VIRTIO_F_VERSION_1/).length > 0);
        await sleep(1200);
        assert.ok(bench.bench.lines.length < 8, `too many lines:\n${bench.bench.lines.join('\n')}`);
        backend.script = {};
        await back(bench, attacked);
      },
      'once',
    ),
  ];
}

export const DRIVER_PROTOCOL: readonly DriverCase[] = [
  ...wrongReplies(),
  wrongFds(),
  unasked(
    153,
    'replies that nobody asked for',
    () => encodeMessage(1, REPLY, new Uint8Array(8)),
    /nobody asked/,
  ),
  silence(),
  ...features(),
  unasked(
    156,
    'requests of its own on the main socket',
    () => encodeMessage(2, VERSION, new Uint8Array(0)),
    /reply/,
  ),
  ...restarts(),
];
