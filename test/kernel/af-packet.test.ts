/** net_af_packet on veth pairs, beyond what the conformance suite asks of every port: tags, fanout, long frames, removal. */
import { setTimeout } from 'node:timers/promises';
import { drivers } from '@pollwire/drivers';
import type { Burst, Mempool, Port } from '@pollwire/ethdev';
import { Eal } from '@pollwire/ethdev';
import { L, native } from '@pollwire/native';
import { makeFrame } from '@pollwire/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ip, uniqueName, withoutIpv6 } from '../harness/network.js';
import { describePeer } from '../harness/scenario.js';
import { attachPeer } from '../loopback/port-peer.js';
import { withTag } from './vlan-frame.js';

describePeer(['net-admin'], 'af_packet ports on a veth pair', () => {
  let eal: Eal;
  let pool: Mempool;
  let burst: Burst;
  let name: string;
  beforeEach(async () => {
    eal = await Eal.init({ drivers, memory: 64, huge: 'never' }, () => undefined);
    pool = eal.createPool({ name: 'p', size: 1024 });
    burst = eal.burst(32);
    name = uniqueName();
    ip(`link add ${name} type veth peer name ${name}p`);
    for (const end of [name, `${name}p`]) {
      withoutIpv6(end);
      ip(`link set ${end} up`);
    }
  });
  afterEach(async () => {
    burst.release();
    for (const port of [...eal.ports.values()]) {
      if (port.state === 'started') await port.stop();
      await eal.detach(port);
    }
    expect(pool.inUse).toBe(0);
    await eal.close();
    if (native.linkFacts(name) !== undefined) ip(`link del ${name}`);
    expect(native.mbufViolations()).toBe(0);
  });

  async function attach(devargs = ''): Promise<Port> {
    const port = await eal.attach(`eth_af_packet0,iface=${name}${devargs}`);
    // The frames of these tests are for made-up addresses.
    port.setPromiscuous(true);
    return port;
  }
  const attachFarEnd = () => attachPeer(eal, `net_af_packet1,iface=${name}p`, 1);

  async function receive(port: Port, queue = 0): Promise<Uint8Array[]> {
    const frames: Uint8Array[] = [];
    for (let idle = 0; idle < 20; idle++) {
      if (port.rxQueue(queue).burst(burst) > 0) idle = 0;
      for (let i = 0; i < burst.length; i++) {
        const frame = new Uint8Array(eal.mbufs.pktLen(burst.at(i)));
        native.mbufRead(burst.at(i), 0, frame);
        frames.push(frame);
      }
      burst.free();
      await setTimeout(1);
    }
    return frames;
  }

  it('has the address and the MTU of its interface', async () => {
    const facts = native.linkFacts(name);
    const port = await attach();
    expect(port.mac).toEqual(facts?.mac);
    await port.start(pool);
    port.setMtu(1400);
    expect(native.linkFacts(name)?.mtu).toBe(1400);
  });

  // The kernel takes the outermost tag out of a frame before a packet socket sees it.
  it.each([0x8100, 0x88a8])('gives a frame its tag of type %i back', async (type) => {
    const port = await attach();
    await port.start(pool);
    const peer = await attachFarEnd();
    const frames = [60, 1500].map((length, i) => withTag(makeFrame(i, length), type, 0xa005 + i));
    expect(peer.send(frames, 0)).toBe(2);
    expect(await receive(port)).toEqual(frames);
    await peer.close();
  });

  it('leaves the tag out on request', async () => {
    const port = await attach();
    port.configure({ rxOffloads: ['VLAN_STRIP'] });
    await port.start(pool);
    const peer = await attachFarEnd();
    const frame = makeFrame(1, 80);
    peer.send([withTag(frame, 0x8100, 7)], 0);
    let got = 0;
    for (let i = 0; got === 0 && i < 100; i++, await setTimeout(1)) got = port.rxQueue(0).burst(burst);
    expect([got, eal.mbufs.vlanTci(burst.at(0)), eal.mbufs.pktLen(burst.at(0))]).toEqual([1, 7, 80]);
    expect(eal.mbufs.olFlags(burst.at(0)) & L.OL_RX_VLAN_STRIPPED).not.toBe(0);
    burst.free();
    await peer.close();
  });

  it('drops by name what is longer than a frame of the ring', async () => {
    const port = await attach(',framesz=512');
    await port.start(pool);
    const peer = await attachFarEnd();
    peer.send([makeFrame(1, 1000), makeFrame(2, 400)], 0);
    expect(await receive(port)).toEqual([makeFrame(2, 400)]);
    expect(port.stats()).toMatchObject({ ipackets: 1n, ierrors: 1n });
    pool.fill(burst, 1);
    native.mbufAppend(burst.at(0), makeFrame(3, 1000));
    expect(port.txQueue(0).burst(burst)).toBe(1);
    burst.clear();
    expect(port.stats()).toMatchObject({ opackets: 0n, oerrors: 1n });
    await peer.close();
  });

  it.each(['hash', 'lb', 'rnd'])('shares what arrives between its queues by %s', async (mode) => {
    const port = await attach(`,qpairs=3,fanout_mode=${mode},qdisc_bypass=1`);
    port.configure({ rxQueues: 3, txQueues: 3 });
    await port.start(pool);
    const peer = await attachFarEnd();
    const frames = Array.from({ length: 60 }, (_, i) => makeFrame(i, 100));
    for (let at = 0; at < 60; at += 20) expect(peer.send(frames.slice(at, at + 20), 0)).toBe(20);
    const counts: number[] = [];
    for (const queue of [0, 1, 2]) counts.push((await receive(port, queue)).length);
    expect(counts.reduce((sum, count) => sum + count)).toBe(60);
    if (mode === 'lb') expect(counts).toEqual([20, 20, 20]);
    await peer.close();
  });

  it('puts the interface into promiscuous mode, and takes it out', async () => {
    const port = await attach();
    await port.start(pool);
    const promiscuity = () => / promiscuity (\d)/.exec(ip(`-d link show ${name}`))?.[1];
    port.setPromiscuous(true);
    expect(promiscuity()).toBe('1');
    port.setPromiscuous(false);
    expect(promiscuity()).toBe('0');
  });

  it('breaks with one event when its interface is deleted', async () => {
    const port = await attach();
    await port.start(pool);
    const seen: string[] = [];
    port.on('intr_lsc', () => seen.push('lsc')).on('intr_rmv', () => seen.push('rmv'));
    ip(`link del ${name}`);
    for (let i = 0; i < 200 && !seen.includes('rmv'); i++) await setTimeout(5);
    await setTimeout(50);
    expect(seen).toEqual(['lsc', 'rmv']);
    pool.fill(burst, 4);
    for (let i = 0; i < 4; i++) eal.mbufs.setLength(burst.at(i), 60);
    expect(port.txQueue(0).burst(burst)).toBe(0);
    burst.free();
    expect(port.rxQueue(0).burst(burst)).toBe(0);
  });
});
