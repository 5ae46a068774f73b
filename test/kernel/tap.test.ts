/** net_tap and net_tun against the kernel itself: life of the interface, settings, queues, offload flags, errors. */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { drivers } from '@pollwire/drivers';
import type { Burst, Mempool, Port } from '@pollwire/ethdev';
import { Eal, formatMac } from '@pollwire/ethdev';
import { L, native } from '@pollwire/native';
import { makeFrame } from '@pollwire/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ip, uniqueName, withoutIpv6 } from '../harness/network.js';
import { describePeer } from '../harness/scenario.js';
import { attachPeer } from '../loopback/port-peer.js';
import { withTag } from './vlan-frame.js';

describePeer(['tap'], 'tap and tun ports on the kernel', () => {
  let eal: Eal;
  let pool: Mempool;
  let burst: Burst;
  let name: string;
  beforeEach(async () => {
    eal = await Eal.init({ drivers, memory: 64, huge: 'never' }, () => undefined);
    pool = eal.createPool({ name: 'p', size: 512 });
    burst = eal.burst(32);
    name = uniqueName();
  });
  afterEach(async () => {
    burst.release();
    for (const port of [...eal.ports.values()]) {
      if (port.state === 'started') await port.stop();
      await eal.detach(port);
    }
    expect(pool.inUse).toBe(0);
    await eal.close();
    expect(native.mbufViolations()).toBe(0);
  });

  const sysfs = (file: string) => readFileSync(`/sys/class/net/${name}/${file}`, 'utf8').trim();
  const attach = (devargs = '', driver = 'net_tap') => eal.attach(`${driver}0,iface=${name}${devargs}`);

  /** A started port on a quiet interface with the address 10.78.0.1, and a neighbour 10.78.0.2 behind the port. */
  async function started(devargs = '', pairs = 1): Promise<Port> {
    const port = await attach(devargs);
    withoutIpv6(name);
    port.configure({ rxQueues: pairs, txQueues: pairs });
    await port.start(pool);
    ip(`addr add 10.78.0.1/24 dev ${name}`);
    ip(`neigh add 10.78.0.2 lladdr 02:00:00:00:00:02 dev ${name}`);
    return port;
  }

  /** Sends datagrams from `ports` source ports to the neighbour. */
  async function sendUdp(ports: number, bytes = 100): Promise<void> {
    for (let i = 0; i < ports; i++) {
      const socket = createSocket('udp4');
      await new Promise<void>((resolve) =>
        socket.send(new Uint8Array(bytes), 9, '10.78.0.2', () => resolve()),
      );
      socket.close();
    }
  }

  async function until(condition: () => boolean): Promise<void> {
    for (const end = Date.now() + 3000; !condition(); await setTimeout(5)) {
      if (Date.now() > end) throw new Error('the condition did not come true in time');
    }
  }

  it('makes an interface that goes with the port', async () => {
    const port = await attach(',mac=02:00:00:00:0a:0b');
    expect(formatMac(port.mac)).toBe('02:00:00:00:0A:0B');
    expect(sysfs('address')).toBe('02:00:00:00:0a:0b');
    await eal.detach(port);
    expect(existsSync(`/sys/class/net/${name}`)).toBe(false);
  });

  it('numbers what has no name, and has a fixed address when asked', async () => {
    const port = await eal.attach('eth_tap0,mac=fixed');
    expect(port.privateInfo().iface_name).toMatch(/^dtap\d+$/);
    expect(formatMac(port.mac)).toBe('00:64:74:61:70:00');
  });

  it('leaves a persistent interface behind, and takes it up again', async () => {
    const port = await attach(',persist');
    const mac = formatMac(port.mac);
    await expect(eal.attach(`net_tap1,iface=${name}`)).rejects.toThrow(/another port of this program has it/);
    await eal.detach(port);
    expect(existsSync(`/sys/class/net/${name}`)).toBe(true);
    expect(formatMac((await attach()).mac)).toBe(mac);
    ip(`link del ${name}`);
  });

  it('has a carrier while it is started and its link is up', async () => {
    const port = await started();
    const seen: boolean[] = [];
    port.on('intr_lsc', (which) => seen.push(which.link.up));
    expect([port.link.up, sysfs('carrier')]).toEqual([true, '1']);
    port.setLink(false);
    expect([port.link.up, sysfs('carrier')]).toEqual([false, '0']);
    port.setLink(true);
    await port.stop();
    expect([port.link.up, sysfs('carrier')]).toEqual([false, '0']);
    expect(seen).toEqual([false, true, false]);
  });

  it('follows what is done to the interface, and sets its MTU and address', async () => {
    const port = await started();
    ip(`link set ${name} down`);
    await until(() => !port.link.up);
    ip(`link set ${name} up`);
    await until(() => port.link.up);
    port.setMtu(9000);
    port.setMac('02:00:00:00:00:77');
    expect([sysfs('mtu'), sysfs('address')]).toEqual(['9000', '02:00:00:00:00:77']);
    expect(() => port.setMtu(65_522)).toThrow(/65522 is outside/);
  });

  it('breaks with one event when its interface is deleted', async () => {
    const port = await started('', 2);
    const seen: string[] = [];
    port.on('intr_lsc', () => seen.push('lsc')).on('intr_rmv', () => seen.push('rmv'));
    ip(`link del ${name}`);
    await until(() => seen.includes('rmv'));
    await setTimeout(50);
    expect(seen).toEqual(['lsc', 'rmv']);
    pool.fill(burst, 4);
    for (let i = 0; i < 4; i++) eal.mbufs.setLength(burst.at(i), 60);
    expect(port.txQueue(0).burst(burst)).toBe(0);
    burst.free();
    expect(port.rxQueue(1).burst(burst)).toBe(0);
  });

  it('spreads flows over its queues', async () => {
    const port = await started('', 4);
    expect(port.privateInfo().queues_open).toBe('4');
    await sendUdp(64);
    const counts = [0, 1, 2, 3].map((queue) => {
      let count = 0;
      while (port.rxQueue(queue).burst(burst) > 0) {
        count += burst.length;
        burst.free();
      }
      return count;
    });
    expect(counts.reduce((sum, count) => sum + count)).toBe(64);
    expect(counts.filter((count) => count > 0).length).toBeGreaterThan(1);
  });

  it('receives packets whose checksum is still open, and says so', async () => {
    const port = await started();
    await sendUdp(1, 5000);
    // Fragments are complete; a whole datagram is not.
    expect(port.rxQueue(0).burst(burst)).toBe(4);
    burst.free();
    await sendUdp(1);
    expect(port.rxQueue(0).burst(burst)).toBe(1);
    const flags = eal.mbufs.olFlags(burst.at(0));
    expect(flags & L.OL_RX_L4_CKSUM_NONE).toBe(L.OL_RX_L4_CKSUM_NONE);
    // What goes back is completed by the kernel: it answers a datagram to a closed port, and drops one that is corrupt.
    expect(port.txQueue(0).burst(burst)).toBe(1);
  });

  it('takes VLAN tags out on request, and puts them in', async () => {
    const port = await attach();
    withoutIpv6(name);
    port.configure({ rxOffloads: ['VLAN_STRIP'], txOffloads: ['VLAN_INSERT'] });
    await port.start(pool);
    const peer = await attachPeer(eal, `net_af_packet0,iface=${name}`, 1);
    const frame = makeFrame(1, 100);
    const tagged = withTag(frame, 0x8100, 0x604d);
    expect(peer.send([tagged], 0)).toBe(1);
    await until(() => port.rxQueue(0).burst(burst) > 0);
    expect(eal.mbufs.vlanTci(burst.at(0))).toBe(0x604d);
    expect(eal.mbufs.olFlags(burst.at(0)) & L.OL_RX_VLAN_STRIPPED).not.toBe(0);
    const rest = new Uint8Array(100);
    expect([eal.mbufs.pktLen(burst.at(0)), native.mbufRead(burst.at(0), 0, rest)]).toEqual([100, 100]);
    expect(rest).toEqual(frame);
    eal.mbufs.setOlFlags(burst.at(0), L.OL_TX_VLAN);
    expect(port.txQueue(0).burst(burst)).toBe(1);
    let back: Uint8Array[] = [];
    await until(() => {
      back = peer.receive(0);
      return back.length > 0;
    });
    expect(back).toEqual([tagged]);
    await peer.close();
  });

  it('moves IP packets without Ethernet as net_tun', async () => {
    const port = await attach('', 'net_tun');
    withoutIpv6(name);
    await port.start(pool);
    ip(`addr add 10.78.0.1/24 dev ${name}`);
    await sendUdp(1);
    expect(port.rxQueue(0).burst(burst)).toBe(1);
    expect([eal.mbufs.u8(burst.at(0), 0), eal.mbufs.pktLen(burst.at(0))]).toEqual([0x45, 128]);
    // Addresses exchanged, it is a datagram to us; the ports are closed or not, the kernel has received it.
    for (let i = 0; i < 4; i++) {
      const [source, target] = [eal.mbufs.u8(burst.at(0), 12 + i), eal.mbufs.u8(burst.at(0), 16 + i)];
      eal.mbufs.setBytes(burst.at(0), 12 + i, Uint8Array.of(target));
      eal.mbufs.setBytes(burst.at(0), 16 + i, Uint8Array.of(source));
    }
    expect(port.txQueue(0).burst(burst)).toBe(1);
    expect(sysfs('statistics/rx_packets')).toBe('1');
  });

  it('says what is missing when it may not make an interface', () => {
    const program = `
      import { Eal } from '${import.meta.resolve('@pollwire/ethdev')}';
      import { drivers } from '${import.meta.resolve('@pollwire/drivers')}';
      process.setgid(65534); process.setuid(65534);
      const eal = await Eal.init({ drivers, memory: 64, huge: 'never' }, () => undefined);
      for (const device of ['net_tap0', 'net_af_packet0,iface=lo'])
        await eal.attach(device).catch((error) => console.log(error.code, error.message));
      await eal.close();`;
    const text = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
    expect(text).toMatch(/PERMISSION_DENIED net_tap0: iface=dtap%d: making an interface needs CAP_NET_ADMIN/);
    expect(text).toMatch(/PERMISSION_DENIED net_af_packet0: iface=lo: a packet socket needs CAP_NET_RAW/);
  });
});
