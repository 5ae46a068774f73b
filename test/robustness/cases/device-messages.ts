/** Rows 1 to 31: what a front-end can do to our socket and to the framing of messages. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { native, sys } from '@pollwire/native';
import {
  CODECS,
  encodeMessage,
  encodeRequest,
  Feature,
  FLAG_REPLY,
  FRONTEND_REQUESTS,
  VERSION,
} from '@pollwire/vhost-user';
import { residentBytes, until } from '../bench.js';
import type { DeviceCase } from '../case.js';
import { deviceCase } from '../case.js';
import type { FrontBench } from '../front-bench.js';
import type { RawFrontend } from '../peers/raw-frontend.js';

const GET_FEATURES = encodeRequest(FRONTEND_REQUESTS.GET_FEATURES, undefined);
const SET_FEATURES = encodeRequest(FRONTEND_REQUESTS.SET_FEATURES, Feature.VIRTIO_F_VERSION_1);
const NOTHING = new Uint8Array(0);

/** Cases that end in CLOSE, each attack on a connection of its own. */
function closes(
  row: number,
  what: string,
  attacks: (bench: FrontBench) => readonly (readonly [(peer: RawFrontend) => void, RegExp])[],
): DeviceCase {
  return deviceCase(row, what, async (bench) => {
    for (const [attack, reason] of attacks(bench)) {
      const peer = await bench.connect();
      attack(peer);
      await bench.expectClosed(peer, reason, `(${attack})`);
    }
  });
}

/** Descriptors for the length of an action. */
function withFds(count: number, action: (fds: number[]) => void): void {
  const fds = Array.from({ length: count }, () => native.eventfdCreate());
  try {
    action(fds);
  } finally {
    sys.closeAll(fds);
  }
}

function header(size: number): Uint8Array {
  const bytes = encodeMessage(1, VERSION, NOTHING);
  new DataView(bytes.buffer).setUint32(8, size, true);
  return bytes;
}

async function answers(peer: RawFrontend, count: number): Promise<void> {
  for (let i = 0; i < count; i++) assert.equal((await peer.answer())?.request, 1, `answer ${i}`);
}

const rows = Object.values(FRONTEND_REQUESTS);

const framing: readonly DeviceCase[] = [
  deviceCase(3, 'a header cut anywhere, then the rest', async (bench) => {
    const peer = await bench.connect();
    for (let cut = 1; cut < 12; cut++) {
      peer.bytes(GET_FEATURES.subarray(0, cut));
      await setImmediate();
      peer.bytes(GET_FEATURES.subarray(cut));
      await answers(peer, 1);
    }
  }),
  deviceCase(5, 'a payload cut anywhere, then the rest', async (bench) => {
    const peer = await bench.connect();
    await peer.getFeatures();
    for (let cut = 12; cut < SET_FEATURES.length; cut++) {
      peer.bytes(SET_FEATURES.subarray(0, cut));
      await setImmediate();
      peer.bytes(SET_FEATURES.subarray(cut));
      peer.bytes(GET_FEATURES);
      await answers(peer, 1);
    }
  }),
  deviceCase(7, 'ten messages in one write', async (bench) => {
    const peer = await bench.connect();
    peer.bytes(tenTimes(GET_FEATURES));
    await answers(peer, 10);
  }),
  deviceCase(8, 'a message in writes of one byte', async (bench) => {
    const peer = await bench.connect();
    for (const byte of GET_FEATURES) {
      peer.bytes(Uint8Array.of(byte));
      await setImmediate();
    }
    await answers(peer, 1);
  }),
  closes(9, 'descriptors in the middle of a message', () => [
    [
      (peer) => {
        peer.bytes(GET_FEATURES.subarray(0, 5));
        withFds(3, (fds) => peer.bytes(GET_FEATURES.subarray(5), fds));
      },
      // Both writes may come with one read, and then they belong to the message.
      /in the middle of a message|number of file descriptors is 3/,
    ],
    [
      (peer) => {
        peer.bytes(SET_FEATURES.subarray(0, 12));
        withFds(3, (fds) => peer.bytes(SET_FEATURES.subarray(12), fds));
      },
      /in the middle of a message/,
    ],
  ]),
  closes(10, 'descriptors over several writes of one message', () => [
    [
      (peer) => {
        for (let at = 0; at < 12; at += 4)
          withFds(1, (fds) => peer.bytes(GET_FEATURES.subarray(at, at + 4), fds));
      },
      /in the middle of a message/,
    ],
  ]),
  closes(11, 'sizes that no message has', () => [
    [(peer) => peer.bytes(header(0xffff_ffff)), /payload size is 4294967295 bytes; allowed: at most 4096/],
    [(peer) => peer.bytes(header(4097)), /payload size is 4097 bytes/],
  ]),
  closes(12, 'a payload one byte too short or too long, every request', () =>
    rows.flatMap((row) => {
      const { min, max } = CODECS[row.payload];
      const sizes = [min - 1, max + 1].filter((size) => size >= 0 && size <= 4096);
      return sizes.map(
        (size) =>
          [
            (peer: RawFrontend) => peer.raw(row.id, new Uint8Array(size)),
            /payload size is \d+ bytes/,
          ] as const,
      );
    }),
  ),
  closes(13, 'requests that do not exist', () =>
    [0, 45, 0x7fff_ffff, 0xffff_ffff].map((id) => [
      (peer: RawFrontend) => peer.raw(id, NOTHING),
      new RegExp(`request ${id} is not supported`),
    ]),
  ),
  closes(14, 'versions other than 1', () =>
    [0, 2, 3].map((version) => [
      (peer: RawFrontend) => peer.raw(1, NOTHING, { flags: version }),
      new RegExp(`version is ${version}`),
    ]),
  ),
  closes(15, 'a reply in place of a request', () => [
    [(peer) => peer.raw(1, NOTHING, { flags: VERSION | FLAG_REPLY }), /a request \(bit 2 clear\)/],
  ]),
  closes(16, 'reserved flags', () =>
    [0x10, 0x8000_0000, 0xffff_fff0].map((flags) => [
      (peer: RawFrontend) => peer.raw(1, NOTHING, { flags: (flags | VERSION) >>> 0 }),
      /flags is 0x/,
    ]),
  ),
  deviceCase(17, 'need-reply that was not negotiated', async (bench) => {
    const peer = await bench.connect();
    peer.send('SET_OWNER', undefined, { needReply: true });
    peer.bytes(GET_FEATURES);
    assert.equal((await peer.answer())?.request, 1, 'the flag is ignored');
  }),
];

function tenTimes(bytes: Uint8Array): Uint8Array {
  const all = new Uint8Array(bytes.length * 10);
  for (let i = 0; i < 10; i++) all.set(bytes, i * bytes.length);
  return all;
}

const descriptors: readonly DeviceCase[] = [
  closes(18, 'descriptors on messages that take none', () =>
    rows
      .filter(({ fds, payload }) => fds.max === 0 && CODECS[payload].min === 0)
      .flatMap((row) =>
        [1, 8, 60].map(
          (count) =>
            [
              (peer: RawFrontend) => withFds(count, (fds) => peer.raw(row.id, NOTHING, { fds })),
              /number of file descriptors is \d+; allowed: exactly 0/,
            ] as const,
        ),
      ),
  ),
  closes(19, 'too few descriptors, and too many', () => {
    const region = { guestAddr: 0n, size: 4096n, userAddr: 0n, mmapOffset: 0n };
    const kick = { index: 0, noFd: false };
    return [
      [(peer) => peer.send('SET_MEM_TABLE', [region]), /number of file descriptors is 0/],
      [(peer) => withFds(2, (fds) => peer.send('SET_MEM_TABLE', [region], { fds })), /descriptors is 2/],
      [(peer) => peer.send('SET_VRING_KICK', kick), /descriptors is 0/],
      [(peer) => withFds(2, (fds) => peer.send('SET_VRING_CALL', kick, { fds })), /descriptors is 2/],
      [(peer) => peer.send('SET_LOG_FD', undefined), /descriptors is 0/],
    ];
  }),
  closes(20, 'more descriptors than one read takes', () => [
    [(peer) => withFds(100, (fds) => peer.bytes(GET_FEATURES, fds)), /descriptor/],
  ]),
];

/** Runs an action with no descriptor number free in this process. */
async function atFileLimit(action: () => Promise<void>): Promise<void> {
  const shell = spawn('sh', { stdio: ['pipe', 'ignore', 'ignore'] });
  const limit = (soft: number | string) =>
    shell.stdin.write(`prlimit --pid ${process.pid} --nofile=${soft}:\n`);
  const before = /Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? '1024';
  // No gaps below the highest number, so that the limit leaves none.
  const fillers = Array.from({ length: 64 }, () => native.eventfdCreate());
  const isFull = () => {
    try {
      native.closeFd(native.eventfdCreate());
      return false;
    } catch {
      return true;
    }
  };
  try {
    limit(Math.max(...fillers) + 1);
    await until('the limit', isFull);
    await action();
  } finally {
    limit(before);
    await until('the limit of before', () => !isFull());
    sys.closeAll(fillers);
    shell.stdin.end();
    await once(shell, 'close');
  }
}

const flow: readonly DeviceCase[] = [
  deviceCase(22, 'descriptors when we can have no more', async (bench) => {
    const peer = await bench.connect();
    await peer.getFeatures();
    const fds = Array.from({ length: 4 }, () => native.eventfdCreate());
    bench.bench.lines.length = 0;
    await atFileLimit(async () => {
      peer.bytes(GET_FEATURES, fds);
      await until('the connection to be closed', () => peer.gone);
    });
    sys.closeAll(fds);
    await bench.expectClosed(peer, /limit/);
  }),
  deviceCase(1, 'nothing, for a while', async (bench) => {
    const peer = await bench.connect();
    await sleep(200);
    assert.equal(peer.gone, false, 'idle is allowed');
    peer.close();
    await bench.expectServes();
  }),
  deviceCase(2, 'connects and leaves, two thousand times', async (bench) => {
    const { path } = await bench.target();
    const before = residentBytes();
    for (let made = 0; made < 2000; ) {
      try {
        sys.close(sys.connectUnix(path));
        made++;
      } catch {
        // The backlog is full: let the other side take some.
        await setImmediate();
      }
    }
    await bench.expectServes();
    assert.ok(residentBytes() - before < 32 << 20, `grew by ${residentBytes() - before} bytes`);
  }),
  deviceCase(23, 'asks and never reads', async (bench) => {
    const peer = await bench.connect();
    const before = residentBytes();
    let sent = 0;
    for (let i = 0; i < 200_000 && sent < 50_000; i++) {
      if (!peer.bytes(GET_FEATURES)) break;
      sent++;
      if (i % 512 === 0) await setImmediate();
    }
    // It stops reading when its answers are not taken, so that the socket fills up.
    assert.ok(sent < 50_000, 'the flood never met a limit');
    assert.ok(residentBytes() - before < 32 << 20);
    await bench.bench.bystander.exchange();
    peer.close();
    await bench.expectServes();
  }),
  deviceCase(24, 'closes one direction', async (bench) => {
    const peer = await bench.connect();
    await peer.getFeatures();
    peer.shutdown();
    await until(
      'the place to be free',
      () => bench.bench.logged(/: the peer closed|: the connection/).length > 0,
    );
    peer.close();
    await bench.expectServes();
  }),
  deviceCase(25, 'leaves between request and reply', async (bench) => {
    for (let i = 0; i < 100; i++) {
      const peer = await bench.connect();
      for (let k = 0; k < 20; k++) peer.bytes(GET_FEATURES);
      peer.close();
      await setImmediate();
      await bench.expectServes();
    }
    await bench.expectServes();
  }),
  deviceCase(26, 'a flood of cheap requests', async (bench) => {
    const peer = await bench.connect();
    let asked = 0;
    let longest = 0;
    const end = performance.now() + 400;
    while (performance.now() < end) {
      while (asked < 1e6 && peer.bytes(GET_FEATURES)) asked++;
      const begin = performance.now();
      await setImmediate();
      longest = Math.max(longest, performance.now() - begin);
      await bench.bench.bystander.exchange();
      assert.equal(peer.gone, false);
    }
    assert.ok(asked > 1000);
    assert.ok(longest < 100, `one turn of the loop took ${longest} ms`);
  }),
  deviceCase(27, 'a second front-end', async (bench) => {
    const first = await bench.connect();
    await first.getFeatures();
    for (let i = 0; i < 3; i++) {
      const second = await bench.connect();
      await until('the second to be turned away', () => second.gone);
      second.close();
    }
    assert.ok(bench.bench.logged(/a second front-end was turned away/).length > 0);
    assert.notEqual(await first.getFeatures(), 0n, 'the first is untouched');
  }),
];

const paths: readonly DeviceCase[] = [
  deviceCase(28, 'paths that no socket can have', async (bench) => {
    const { eal, dir } = bench.bench;
    const at = (name: string) => join(dir, name);
    mkdirSync(at('folder'), { recursive: true });
    writeFileSync(at('file'), '');
    symlinkSync(at('file'), at('link'));
    const refused = [
      [at('folder'), /directory/],
      [at('file'), /file/],
      [at('link'), /link|file/],
      [at('absent/socket'), /absent/],
      [at('x'.repeat(108)), /107/],
    ] as const;
    for (const [path, reason] of refused) {
      const { n } = bench.bench.next();
      await assert.rejects(eal.attach(`net_vhost${n},iface=${path}`), reason);
    }
    assert.ok(existsSync(at('file')), 'the file is still there');
    for (const name of ['link', 'file', 'folder']) rmSync(at(name), { recursive: true });
  }),
  deviceCase(29, 'a socket file of a dead server, and of a live one', async (bench) => {
    const { n, path } = bench.bench.next();
    sys.close(sys.listenUnix(path));
    assert.ok(existsSync(path));
    const port = await bench.bench.eal.attach(`net_vhost${n},iface=${path}`);
    await assert.rejects(
      bench.bench.eal.attach(`net_vhost${n + 500},iface=${path}`),
      /is registered already in this program/,
    );
    await bench.bench.eal.detach(port);
    const foreign = bench.bench.next();
    const server = sys.listenUnix(foreign.path);
    const attach = bench.bench.eal.attach(`net_vhost${foreign.n},iface=${foreign.path}`);
    await assert.rejects(attach, /is served by/);
    sys.close(server);
  }),
  deviceCase(30, 'the socket file goes while it serves', async (bench) => {
    const { path } = await bench.target();
    const peer = await bench.connect();
    await peer.getFeatures();
    rmSync(path);
    assert.notEqual(await peer.getFeatures(), 0n, 'the connection lives');
  }),
  deviceCase(31, 'a server that is absent, or never accepts', async (bench) => {
    const { eal } = bench.bench;
    for (const deaf of [false, true]) {
      const { n, path } = bench.bench.next();
      const listener = deaf ? native.listenUnix(path, 0) : -1;
      const fillers: number[] = [];
      for (let i = 0; deaf && i < 4; i++) {
        try {
          fillers.push(sys.connectUnix(path));
        } catch {
          break;
        }
      }
      const begin = performance.now();
      const port = await eal.attach(`net_vhost${n},iface=${path},client=1`);
      await sleep(300);
      await eal.detach(port);
      assert.ok(performance.now() - begin < 1000, 'nobody waits for it');
      sys.closeAll(fillers);
      sys.close(listener);
    }
  }),
];

export const DEVICE_MESSAGES: readonly DeviceCase[] = [...framing, ...descriptors, ...flow, ...paths];
