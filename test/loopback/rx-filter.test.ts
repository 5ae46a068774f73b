/**
 * Receive modes, addresses and the VLAN filter of a net_virtio_user port change what arrives from a net_vhost port of the same process,
 * while both run.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Mempool, Port } from '@pollwire/ethdev';
import { Eal, parseMac, VLAN_FILTER, VLAN_STRIP } from '@pollwire/ethdev';
import { native } from '@pollwire/native';
import { makeFrame } from '@pollwire/testkit';
import { netVhost } from '@pollwire/vhost';
import { netVirtioUser } from '@pollwire/virtio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const OWN = '02:00:00:00:00:10';
const SECOND = '02:00:00:00:00:11';
const OTHER = '02:00:00:00:00:12';
const GROUP = '01:00:5e:00:00:01';
const OTHER_GROUP = '01:00:5e:00:00:02';
const ALL = 'ff:ff:ff:ff:ff:ff';
const EVERY = [OWN, SECOND, OTHER, GROUP, OTHER_GROUP, ALL];

const dir = mkdtempSync(join(tmpdir(), 'pw-filter-'));
let eal: Eal;
let pool: Mempool;

beforeAll(async () => {
  eal = await Eal.init({ memory: 64, huge: 'never', drivers: [netVhost, netVirtioUser] }, () => undefined);
  pool = eal.createPool({ name: 'filter', size: 4096, cache: 64 });
});
afterAll(async () => {
  await eal.close();
  rmSync(dir, { recursive: true });
});

/** A frame of 3000 bytes when `long`: several buffers on a mergeable ring. */
function frameTo(mac: string, vlan?: number, long = false): Uint8Array {
  const frame = makeFrame(1, long ? 3000 : 100);
  frame.set(parseMac(mac));
  if (vlan !== undefined) frame.set([0x81, 0, vlan >> 8, vlan & 0xff], 12);
  return frame;
}

function send(port: Port, queue: number, frames: readonly Uint8Array[]): void {
  const burst = eal.burst(frames.length);
  pool.fill(burst, frames.length);
  frames.forEach((frame, i) => void native.mbufAppend(burst.at(i), frame));
  expect(port.txQueue(queue).burst(burst)).toBe(frames.length);
}

/** What arrives of these frames. */
function arriving(from: Port, to: Port, queue: number, frames: readonly Uint8Array[]): Uint8Array[] {
  send(from, queue, frames);
  const burst = eal.burst(64);
  const got = to.rxQueue(queue).burst(burst);
  const seen = Array.from({ length: got }, (_, i) => eal.mbufs.toBytes(burst.at(i)));
  burst.free();
  return seen;
}

describe.each([
  ['split rings', ''],
  ['packed rings', ',packed_vq=1'],
  ['packed rings without mergeable buffers, in any order', ',packed_vq=1,mrg_rxbuf=0,in_order=0'],
  ['split rings without mergeable buffers, in any order', ',mrg_rxbuf=0,in_order=0'],
])('%s', (_name, devargs) => {
  const long = !devargs.includes('mrg_rxbuf=0');

  it('let in what the port asks for', async () => {
    const path = join(dir, 'sock');
    const vhost = await eal.attach(`net_vhost0,iface=${path},queues=2`);
    const virtio = async () => {
      const port = await eal.attach(`net_virtio_user1,path=${path},mac=${OWN},queues=2${devargs}`);
      port.configure({ rxQueues: 2, txQueues: 2 });
      await port.start(pool);
      return port;
    };
    vhost.configure({ rxQueues: 2, txQueues: 2 });
    await vhost.start(pool);
    const port = await virtio();
    await expect.poll(() => vhost.link.up && port.link.up).toBe(true);

    /** Checks, on both queues, which of the frames arrive. */
    const expectArriving = (
      macs: readonly string[],
      vlans: readonly (number | undefined)[] = [undefined],
    ) => {
      const all = EVERY.flatMap((mac) => [undefined, 5, 6].map((vlan) => ({ mac, vlan })));
      const frames = all.map(({ mac, vlan }) => frameTo(mac, vlan, long));
      const wanted = all.map(({ mac, vlan }) => macs.includes(mac) && vlans.includes(vlan));
      for (let queue = 0; queue < 2; queue++) {
        const expected = frames.filter((_, i) => wanted[i]);
        expect(arriving(vhost, port, queue, frames)).toEqual(expected);
      }
    };
    const anyVlan = [undefined, 5, 6];

    expectArriving([OWN, ALL], anyVlan);
    port.addMac(SECOND);
    expectArriving([OWN, SECOND, ALL], anyVlan);
    port.setMulticastList([GROUP]);
    expectArriving([OWN, SECOND, GROUP, ALL], anyVlan);
    port.setAllMulticast(true);
    expectArriving([OWN, SECOND, GROUP, OTHER_GROUP, ALL], anyVlan);
    port.setPromiscuous(true);
    expectArriving(EVERY, anyVlan);
    port.setVlanOffload(VLAN_FILTER);
    expectArriving(EVERY, [undefined]);
    port.vlanFilter(5, true);
    expectArriving(EVERY, [undefined, 5]);
    port.setPromiscuous(false);
    port.setAllMulticast(false);
    port.removeMac(SECOND);
    port.setMulticastList([]);
    expectArriving([OWN, ALL], [undefined, 5]);
    // The modes are the port's, not the rings': another start of the port knows them.
    await port.stop();
    await expect.poll(() => vhost.link.up).toBe(false);
    await port.start();
    await expect.poll(() => vhost.link.up && port.link.up).toBe(true);
    expectArriving([OWN, ALL], [undefined, 5]);
    port.setMac(OTHER);
    expectArriving([OTHER, ALL], [undefined, 5]);
    port.vlanFilter(5, false);
    port.setVlanOffload(0);
    expectArriving([OTHER, ALL], anyVlan);

    // A tag that is to be taken out is looked at first.
    port.setVlanOffload(VLAN_FILTER | VLAN_STRIP);
    port.vlanFilter(6, true);
    expect(
      arriving(vhost, port, 0, [frameTo(OTHER, 5), frameTo(OTHER, 6)]).map(({ length }) => length),
    ).toEqual([96]);

    const named = Object.fromEntries(port.xstats().filter(([name]) => name.includes('filtered')));
    const stats = port.stats();
    const filtered = Object.values(named).reduce((sum, count) => sum + count, 0n);
    expect(stats.ipackets + filtered).toBe(vhost.stats().opackets);
    expect(stats.ierrors).toBe(0n);
    for (const reason of ['unicast', 'multicast', 'vlan']) {
      for (const queue of [0, 1]) expect(named[`rx_q${queue}_filtered_${reason}`]).toBeGreaterThan(0n);
    }
    for (const one of [port, vhost]) {
      await one.stop();
      await eal.detach(one);
    }
    expect(native.poolInfo(pool.index).free).toBe(pool.size);
  });
});
