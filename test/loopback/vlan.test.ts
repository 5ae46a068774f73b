/** VLAN tags in software between a net_vhost and a net_virtio_user port of one process: put in on transmit, taken out on receive. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Mempool, Port } from '@pollwire/ethdev';
import { Eal, VLAN_STRIP } from '@pollwire/ethdev';
import { L, native } from '@pollwire/native';
import { makeFrame } from '@pollwire/testkit';
import { netVhost } from '@pollwire/vhost';
import { netVirtioUser } from '@pollwire/virtio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const TCI = 0x2123;
const STRIPPED = L.OL_RX_VLAN | L.OL_RX_VLAN_STRIPPED;

const dir = mkdtempSync(join(tmpdir(), 'pw-vlan-'));
let eal: Eal;
let pool: Mempool;

beforeAll(async () => {
  eal = await Eal.init({ memory: 64, huge: 'never', drivers: [netVhost, netVirtioUser] }, () => undefined);
  pool = eal.createPool({ name: 'vlan', size: 4096, cache: 64 });
});
afterAll(async () => {
  await eal.close();
  rmSync(dir, { recursive: true });
});

/** Sends a packet whose tag the port is to put in. */
function sendTagged(port: Port, frame: Uint8Array): void {
  const burst = eal.burst(1);
  pool.fill(burst, 1);
  native.mbufAppend(burst.at(0), frame);
  eal.mbufs.setVlanTci(burst.at(0), TCI);
  eal.mbufs.setOlFlags(burst.at(0), L.OL_TX_VLAN);
  expect(port.txQueue(0).burst(burst)).toBe(1);
}

async function receive(port: Port) {
  const burst = eal.burst(8);
  await expect.poll(() => port.rxQueue(0).burst(burst)).toBe(1);
  const h = burst.at(0);
  const seen = { frame: eal.mbufs.toBytes(h), flags: eal.mbufs.olFlags(h), tci: eal.mbufs.vlanTci(h) };
  burst.free();
  return seen;
}

describe.each([
  ['split rings', ''],
  ['packed rings', ',packed_vq=1'],
  ['split rings without mergeable buffers, in any order', ',mrg_rxbuf=0,in_order=0'],
])('%s', (_name, devargs) => {
  it('carries tags both ways, in the frame or beside it', async () => {
    const path = join(dir, 'sock');
    const vhost = await eal.attach(`net_vhost0,iface=${path}`);
    await vhost.start(pool);
    const virtio = await eal.attach(`net_virtio_user1,path=${path}${devargs}`);
    virtio.setPromiscuous(true);
    await virtio.start(pool);
    await expect.poll(() => vhost.link.up && virtio.link.up).toBe(true);
    const frame = makeFrame(1, 100);
    const tagged = Uint8Array.of(
      ...frame.subarray(0, 12),
      0x81,
      0,
      TCI >> 8,
      TCI & 0xff,
      ...frame.subarray(12),
    );
    for (const [from, to] of [
      [vhost, virtio],
      [virtio, vhost],
    ] as const) {
      for (let round = 0; round < 2; round++) {
        sendTagged(from, frame);
        expect(await receive(to)).toEqual({ frame: tagged, flags: 0, tci: 0 });
        to.setVlanOffload(VLAN_STRIP);
        sendTagged(from, frame);
        expect(await receive(to)).toEqual({ frame, flags: STRIPPED, tci: TCI });
        to.setVlanOffload(0);
      }
    }
    for (const port of [virtio, vhost]) {
      await port.stop();
      await eal.detach(port);
    }
  });
});
