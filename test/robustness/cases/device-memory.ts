/** Rows 47 to 60: memory tables and the files behind them. */
import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { native, sys } from '@pollwire/native';
import type { MemoryRegion } from '@pollwire/vhost-user';
import { Feature, ProtocolFeature } from '@pollwire/vhost-user';
import { residentBytes, until } from '../bench.js';
import type { DeviceCase } from '../case.js';
import { deviceCase } from '../case.js';
import type { FrontBench } from '../front-bench.js';
import type { RawFrontend } from '../peers/raw-frontend.js';

const MIB = 1n << 20n;
const REGION: MemoryRegion = { guestAddr: 0n, size: MIB, userAddr: 0x7000_0000n, mmapOffset: 0n };
const BOTH = ['split', 'packed'] as const;

async function negotiated(bench: FrontBench): Promise<RawFrontend> {
  const peer = await bench.connect();
  await peer.negotiate(
    Feature.VIRTIO_F_VERSION_1,
    ProtocolFeature.REPLY_ACK | ProtocolFeature.CONFIGURE_MEM_SLOTS,
  );
  return peer;
}

/** Sends a table; the descriptors are closed here. */
async function table(
  peer: RawFrontend,
  regions: readonly MemoryRegion[],
  fds: readonly number[],
): Promise<bigint | undefined> {
  const answer = await peer.ask('SET_MEM_TABLE', regions, fds);
  sys.closeAll([...fds]);
  return answer;
}

/** Tables of one region that must be refused, one connection each; `file` makes the descriptor. */
async function refuses(
  bench: FrontBench,
  tables: readonly MemoryRegion[][],
  file = () => memfd(),
): Promise<void> {
  for (const regions of tables) {
    const peer = await negotiated(bench);
    const answer = await table(peer, regions, regions.map(file));
    assert.notEqual(answer, 0n, `${regions.map(describe)}`);
    peer.close();
    await bench.expectServes();
  }
}

const memfd = (bytes = Number(MIB)) => native.memfdCreate('hostile', bytes);
const describe = (region: MemoryRegion) =>
  `guest ${region.guestAddr} size ${region.size} user ${region.userAddr} offset ${region.mmapOffset}`;

/** A table as bytes, with any count. */
function rawTable(count: number, bytes = 8 + 8 * 32): Uint8Array {
  const payload = new Uint8Array(bytes);
  new DataView(payload.buffer).setUint32(0, count, true);
  return payload;
}

export const DEVICE_MEMORY: readonly DeviceCase[] = [
  deviceCase(47, 'tables of 0, 9, 33 and 2^32 - 1 regions', async (bench) => {
    for (const count of [0, 9, 33, 0xffff_ffff]) {
      const peer = await negotiated(bench);
      bench.bench.lines.length = 0;
      peer.raw(5, rawTable(count));
      await bench.expectClosed(peer, /SET_MEM_TABLE/, String(count));
    }
  }),
  deviceCase(48, 'size 0, and sums that wrap', (bench) => {
    const top = (1n << 64n) - 4096n;
    return refuses(bench, [
      [{ ...REGION, size: 0n }],
      [{ ...REGION, size: top, mmapOffset: 8192n }],
      [{ ...REGION, guestAddr: top }],
      [{ ...REGION, userAddr: top }],
      [{ ...REGION, mmapOffset: top }],
    ]);
  }),
  deviceCase(49, 'regions behind the end of their file', (bench) =>
    refuses(bench, [
      [{ ...REGION, size: MIB + 1n }],
      [{ ...REGION, size: MIB + 4096n }],
      [{ ...REGION, size: 1n << 30n }],
      [{ ...REGION, mmapOffset: 4096n }],
    ]),
  ),
  deviceCase(50, 'descriptors that are no writable memory', async (bench) => {
    const path = join(bench.bench.dir, 'plain');
    writeFileSync(path, new Uint8Array(Number(MIB)));
    const kinds: Readonly<Record<string, () => number>> = {
      eventfd: () => native.eventfdCreate(),
      socket: () => {
        const [mine, other] = sys.socketPair();
        sys.close(mine);
        return other;
      },
      directory: () => openSync(bench.bench.dir, 'r'),
      '/dev/null': () => openSync('/dev/null', 'r+'),
      'a file that is read-only': () => openSync(path, 'r'),
    };
    for (const make of Object.values(kinds)) await refuses(bench, [[REGION]], make);
  }),
  deviceCase(52, 'regions that overlap', (bench) => {
    const other = { ...REGION, guestAddr: 16n * MIB, userAddr: 0x9000_0000n };
    return refuses(bench, [
      [REGION, REGION],
      [REGION, { ...other, guestAddr: MIB - 1n }],
      [REGION, { ...other, userAddr: REGION.userAddr + MIB - 1n }],
      [REGION, other, { ...other, guestAddr: 0n, userAddr: 0x1000n }],
    ]);
  }),
  deviceCase(55, 'eight regions of which the fifth cannot be mapped', async (bench) => {
    const peer = await negotiated(bench);
    const regions = Array.from({ length: 8 }, (_, i) => ({
      ...REGION,
      guestAddr: BigInt(i) * 2n * MIB,
      userAddr: BigInt(i + 64) * 2n * MIB,
    }));
    const fds = regions.map((_, i) => memfd(i === 4 ? 4096 : Number(MIB)));
    assert.notEqual(await table(peer, regions, fds), 0n);
  }),
  deviceCase(
    54,
    'memory goes from under running rings',
    async (bench) => {
      const guest = await bench.guest();
      const { port } = await bench.target();
      guest.frame();
      guest.rings[1].offer([{ addr: guest.data(), length: 72 }]);
      assert.equal(bench.receive(port), 1);
      assert.equal(await table(guest.peer, [REGION], [memfd()]), 0n);
      await until('the link to go down', () => !port.link.up);
      assert.match(port.privateInfo().not_ready_because ?? '', /addresses left the guest memory/);
      assert.equal(bench.receive(port), 0);
      assert.equal(bench.transmit(port, 1), 0);
    },
    BOTH,
  ),
  deviceCase(
    53,
    'the same table again, while packets flow',
    async (bench) => {
      const guest = await bench.guest();
      const { port } = await bench.target();
      for (let i = 0; i < 20; i++) {
        assert.equal(await guest.peer.ask('SET_MEM_TABLE', [guest.region], [guest.memory.fd]), 0n);
        guest.frame();
        guest.rings[1].offer([{ addr: guest.data(), length: 72 }]);
        assert.equal(bench.receive(port), 1);
      }
    },
    BOTH,
  ),
  deviceCase(56, 'regions that cannot be added or removed', async (bench) => {
    const peer = await negotiated(bench);
    const add = async (region: MemoryRegion) => {
      const fd = memfd();
      const answer = await peer.ask('ADD_MEM_REG', region, [fd]);
      native.closeFd(fd);
      return answer;
    };
    assert.equal(await add(REGION), 0n);
    assert.equal(await add({ ...REGION, userAddr: 0x9000_0000n }), 1n, 'it overlaps');
    assert.equal(await peer.ask('REM_MEM_REG', { ...REGION, guestAddr: 4096n }), 1n, 'there is none such');
    assert.equal(await peer.ask('REM_MEM_REG', REGION), 0n);
    assert.equal(await peer.ask('REM_MEM_REG', REGION), 1n, 'it is gone already');
    let slots = 0;
    for (let i = 0n; i < 520n; i++) {
      const at = { ...REGION, guestAddr: i * 2n * MIB, userAddr: (i + 64n) * 2n * MIB };
      if ((await add(at)) === 0n) slots++;
    }
    assert.equal(slots, 509, 'as many as there are slots');
  }),
  deviceCase(
    57,
    'shrinks its file while packets flow',
    async (bench) => {
      const guest = await bench.guest();
      const { port } = await bench.target();
      // A memfd is sealed as soon as it is mapped.
      assert.throws(() => ftruncateSync(guest.memory.fd, 0), /EPERM/);
      guest.frame();
      guest.rings[1].offer([{ addr: guest.data(), length: 72 }]);
      assert.equal(bench.receive(port), 1);
    },
    BOTH,
  ),
  deviceCase(57, 'shrinks a file that cannot be sealed', async (bench) => {
    const path = join(bench.bench.dir, 'shrinks');
    writeFileSync(path, new Uint8Array(Number(MIB)));
    const fd = openSync(path, 'r+');
    const peer = await negotiated(bench);
    assert.equal(await peer.ask('SET_MEM_TABLE', [REGION], [fd]), 0n);
    const at = (offset: bigint) => REGION.userAddr + offset;
    for (const index of [0, 1]) {
      const base = BigInt(index) * 0x8_0000n;
      const addr = {
        index,
        flags: 0,
        desc: at(base),
        avail: at(base + 0x1000n),
        used: at(base + 0x2000n),
        log: 0n,
      };
      await peer.ask('SET_VRING_NUM', { index, num: 64 });
      await peer.ask('SET_VRING_BASE', { index, num: 0 });
      await peer.ask('SET_VRING_ADDR', addr);
      const event = native.eventfdCreate();
      await peer.ask('SET_VRING_CALL', { index, noFd: false }, [event]);
      await peer.ask('SET_VRING_KICK', { index, noFd: false }, [event]);
      native.closeFd(event);
      await peer.ask('SET_VRING_ENABLE', { index, num: 1 });
    }
    const { port } = await bench.target();
    await until('the link', () => port.link.up);
    assert.equal(bench.receive(port), 0);
    ftruncateSync(fd, 0);
    assert.equal(bench.receive(port), 0, 'the process lives');
    bench.transmit(port, 1);
    await until('the link to go down', () => !port.link.up);
    assert.equal(bench.counter(port, 'rx', 'BROKEN'), 1);
    closeSync(fd);
  }),
  deviceCase(59, 'a thousand tables', async (bench) => {
    const peer = await negotiated(bench);
    const before = residentBytes();
    for (let i = 0n; i < 1000n; i++) {
      const answer = await table(peer, [{ ...REGION, guestAddr: (i % 7n) * MIB }], [memfd()]);
      assert.equal(answer, 0n);
    }
    assert.ok(residentBytes() - before < 32 << 20);
  }),
  deviceCase(60, 'a region of 16 TiB', async (bench) => {
    const peer = await negotiated(bench);
    const before = residentBytes();
    const bytes = 16n << 40n;
    const answer = await table(
      peer,
      [{ ...REGION, size: bytes }],
      [native.memfdCreate('huge', Number(bytes))],
    );
    assert.ok(answer === 0n || answer === 1n || answer === undefined);
    assert.ok(residentBytes() - before < 16 << 20, 'nothing is allocated for it');
  }),
];
