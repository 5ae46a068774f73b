/** Addresses, receive modes, VLAN filter and MTU at the prompt, on a port that has them (net_virtio_user) and one that does not. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TestApp } from '../fixtures/app.js';

const OWN = '02:00:00:00:00:10';
const GROUP = '01:00:5E:00:00:01';

let dir: string;
let t: TestApp;
const type = (line: string) => t.type(line);

/** Runs a line that should only complain. */
async function refused(line: string): Promise<string[]> {
  expect(await type(line)).toBe('');
  return t.complaints();
}

/** A line of `show port info 0`. */
async function info(name: string): Promise<string | undefined> {
  const lines = (await type('show port info 0')).split('\n');
  const line = lines.find((one) => one.trim().startsWith(`${name}: `));
  return line?.trim().slice(name.length + 2);
}

const macs = (kind: string, ...list: string[]) =>
  [`Number of ${kind}MAC address added: ${list.length}`, ...list.map((mac) => `  ${mac}`), ''].join('\n');

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'pw-addresses-'));
  const virtio = `net_virtio_user0,path=${join(dir, 's')},server=1,mac=${OWN},mrg_rxbuf=0`;
  t = await TestApp.open([virtio, 'net_null1'], { checkLinks: false });
  await t.app.boot();
});
beforeEach(() => void t.complaints());
afterAll(async () => {
  await t.close();
  rmSync(dir, { recursive: true });
});

describe('receive modes', () => {
  it('are shown, set, and outlive a new configuration', async () => {
    expect(await info('Promiscuous mode')).toBe('enabled');
    expect(await info('Allmulticast mode')).toBe('disabled');
    expect(await info('rx_filter')).toBe('off');
    await type('set promisc 0 off');
    await type('set allmulti 0 on');
    expect(await info('Promiscuous mode')).toBe('disabled');
    expect(await info('Allmulticast mode')).toBe('enabled');
    expect(await info('rx_filter')).toBe('unicast (in software)');
    await type('port stop all');
    await type('port config all rxd 512');
    await type('port start all');
    expect(await info('Promiscuous mode')).toBe('disabled');
    await type('set allmulti 0 off');
    expect(await info('rx_filter')).toBe('unicast, multicast (in software)');
    await type('set promisc 0 on');
    expect(await info('rx_filter')).toBe('off');
  });
});

describe('mac_addr', () => {
  it('adds, removes and sets, and shows what there is', async () => {
    expect(await info('Maximum number of MAC addresses')).toBe('64');
    expect(await type('show port 0 macs')).toBe(macs('', OWN));
    for (let round = 0; round < 2; round++) await type('mac_addr add 0 02:00:00:00:00:aa');
    expect(await type('show port 0 macs')).toBe(macs('', OWN, '02:00:00:00:00:AA'));
    await type('mac_addr set 0 02:00:00:00:00:bb');
    expect(await info('MAC address')).toBe('02:00:00:00:00:BB');
    await type('mac_addr remove 0 02:00:00:00:00:aa');
    await type('mac_addr remove 0 02:00:00:00:00:aa');
    await type(`mac_addr set 0 ${OWN}`);
    expect(await type('show port 0 macs')).toBe(macs('', OWN));
    expect(t.complaints()).toEqual([]);
  });

  it('refuses what cannot be', async () => {
    expect(await refused(`mac_addr remove 0 ${OWN}`)).toEqual([
      `mac_addr_cmd error: (Port 0 cannot be without its default address ${OWN}; set another one instead.)`,
    ]);
    await type('mac_addr add 0 02:00:00:00:00:aa');
    expect((await refused('mac_addr set 0 02:00:00:00:00:aa'))[0]).toMatch(/further address; remove it/);
    await type('mac_addr remove 0 02:00:00:00:00:aa');
    expect((await refused('mac_addr add 0 ff:ff:ff:ff:ff:ff'))[0]).toMatch(/unicast/);
    expect((await refused('mac_addr add 0 nonsense'))[0]).toMatch(/^Bad arguments: 'nonsense'/);
    expect(await refused('mac_addr add 7 02:00:00:00:00:aa')).toEqual(['Invalid port 7']);
    expect(await refused('mac_addr add 1 02:00:00:00:00:aa')).toEqual([
      'mac_addr_cmd error: (Operation not supported)',
    ]);
  });

  it('holds as many as the port says', async () => {
    for (let i = 1; i < 64; i++) await type(`mac_addr add 0 02:00:00:00:01:${i.toString(16)}`);
    expect(t.complaints()).toEqual([]);
    expect(await refused('mac_addr add 0 02:00:00:00:02:00')).toEqual([
      'mac_addr_cmd error: (Port 0 holds 64 MAC addresses; remove one first.)',
    ]);
    for (let i = 1; i < 64; i++) await type(`mac_addr remove 0 02:00:00:00:01:${i.toString(16)}`);
    expect(await type('show port 0 macs')).toBe(macs('', OWN));
  });
});

describe('mcast_addr', () => {
  it('adds, removes, flushes and shows', async () => {
    await type(`mcast_addr add 0 ${GROUP}`);
    await type('mcast_addr add 0 33:33:00:00:00:01');
    expect(await type('show port 0 mcast_macs')).toBe(macs('Multicast ', GROUP, '33:33:00:00:00:01'));
    expect(await refused(`mcast_addr add 0 ${GROUP}`)).toEqual([
      'multicast address already filtered by port',
    ]);
    await type(`mcast_addr remove 0 ${GROUP}`);
    expect(await refused(`mcast_addr remove 0 ${GROUP}`)).toEqual([
      'multicast address not filtered by port 0',
    ]);
    await type('mcast_addr flush 0');
    expect(await type('show port 0 mcast_macs')).toBe(macs('Multicast '));
  });

  it('refuses what cannot be', async () => {
    expect(await refused(`mcast_addr add 0 ${OWN}`)).toEqual([`Invalid multicast addr ${OWN}`]);
    expect(await refused(`mcast_addr add 1 ${GROUP}`)).toEqual([
      'rte_eth_dev_set_mc_addr_list(port=1, nb=1) failed. diag=-95',
    ]);
    for (let i = 0; i < 64; i++) await type(`mcast_addr add 0 01:00:5e:00:01:${i.toString(16)}`);
    expect(t.complaints()).toEqual([]);
    expect((await refused(`mcast_addr add 0 ${GROUP}`))[0]).toBe(
      'rte_eth_dev_set_mc_addr_list(port=0, nb=65) failed. diag=-28',
    );
    expect(await type('show port 0 mcast_macs')).toMatch(/^Number of Multicast MAC address added: 64\n/);
    await type('mcast_addr flush 0');
  });
});

describe('the VLAN filter', () => {
  it('is switched on before its table is changed', async () => {
    const off = 'rx_vft_set(port_pi=0, vlan_id=5, on=1) failed diag=-38';
    expect(await refused('rx_vlan add 5 0')).toEqual([off]);
    await type('vlan set filter on 0');
    expect(await type('show port info 0')).toContain('strip off, filter on, extend off');
    expect(await info('rx_filter')).toBe('vlan (in software)');
    for (const line of ['rx_vlan add 5 0', 'rx_vlan add all 0', 'rx_vlan rm all 0', 'rx_vlan rm 5 0'])
      expect(await type(line)).toBe('');
    await type('vlan set filter off 0');
    expect(await info('rx_filter')).toBe('off');
    expect(t.complaints()).toEqual([]);
  });
});

describe('port config mtu', () => {
  it('changes the MTU within the limits', async () => {
    await type('port config mtu 0 1400');
    expect(await info('MTU')).toBe('1400');
    expect([await info('Minimum MTU'), await info('Maximum MTU')]).toEqual(['68', '9698']);
    expect(await refused('port config mtu 0 67')).toEqual(['MTU (67) < device min MTU (68) for port_id 0']);
    expect(await refused('port config mtu 0 9699')).toEqual([
      'MTU (9699) > device max MTU (9698) for port_id 0',
    ]);
    const [failed, why] = await refused('port config mtu 0 9000');
    expect(failed).toBe('Set MTU failed. diag=-22');
    expect(why).toMatch(/frames of 9018 bytes, and receive buffers .* hold 2048; use mrg_rxbuf=1/);
    expect(await info('MTU')).toBe('1400');
    await type('port config mtu 0 1500');
  });
});

describe('RSS', () => {
  it.each([
    'show port 0 rss-hash',
    'show port 0 rss-hash key',
    'show port 0 rss reta 128 (0xff)',
    'port config 0 rss reta (0,1)',
  ])('%s says that there is none', async (line) => {
    expect(await refused(line)).toEqual(['Port 0: RSS is not negotiated by this device (net_virtio_user)']);
  });

  it('is refused for every port at once', async () => {
    expect(await refused('port config all rss ip')).toHaveLength(2);
    expect(await type('show port 9 rss-hash')).toBe('The valid ports array is [ 0 1 ]\n');
    expect(await info('rss')).toBe('not negotiated by this device');
  });
});
