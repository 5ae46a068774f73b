import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TestApp, vlanCalls } from '../fixtures/app.js';

let t: TestApp;
const type = (line: string) => t.type(line);
/** Runs a line that should only complain. */
async function refused(line: string): Promise<string[]> {
  expect(await type(line)).toBe('');
  return t.complaints();
}

/** Stops port 0, runs a line, starts it again; returns what the line wrote. */
async function whileStopped(line: string): Promise<string> {
  await type('port stop 0');
  const text = await type(line);
  await type('port start 0');
  return text;
}

const txOffloads = () => t.app.ports.get(0)?.config?.txOffloads;

beforeAll(async () => {
  t = await TestApp.open(['test_puppet0', 'net_null1'], { checkLinks: false });
  await t.app.boot();
});
beforeEach(() => {
  t.complaints();
  vlanCalls.length = 0;
});
afterAll(async () => void (await t.close()));

describe('csum', () => {
  const report = (ip: string, udp: string, tcp: string) =>
    `Parse tunnel is off\nIP checksum offload is ${ip}\nUDP checksum offload is ${udp}\nTCP checksum offload is ${tcp}\n` +
    'SCTP checksum offload is sw\nOuter-Ip checksum offload is sw\nOuter-Udp checksum offload is sw\n';

  it('shows software work until it is told otherwise', async () => {
    expect(await type('csum show 0')).toBe(report('sw', 'sw', 'sw'));
  });

  it('is set on a stopped port, which is configured with the offload at its next start', async () => {
    expect(await refused('csum set tcp hw 0')).toEqual(['Please stop port 0 first']);
    expect(await whileStopped('csum set tcp hw 0')).toBe(report('sw', 'sw', 'hw'));
    expect(t.app.settings.checksum.get(0)).toEqual({ ip: false, udp: false, tcp: true });
    expect(txOffloads()).toBe(1 << 3);
    expect(await whileStopped('csum set udp hw 0')).toBe(report('sw', 'hw', 'hw'));
    expect(txOffloads()).toBe((1 << 3) | (1 << 2));
    expect(await whileStopped('csum set tcp sw 0')).toBe(report('sw', 'hw', 'sw'));
    expect(await whileStopped('csum set udp sw 0')).toBe(report('sw', 'sw', 'sw'));
    expect(txOffloads()).toBe(0);
  });

  it('is refused where the port cannot', async () => {
    await type('port stop 0');
    expect(await type('csum set ip hw 0')).toBe(report('sw', 'sw', 'sw'));
    await type('csum set sctp hw 0');
    await type('csum set outer-ip hw 0');
    expect(t.complaints()).toEqual([
      'IP checksum offload is not supported by port 0',
      'SCTP checksum offload is not supported by port 0',
      'Outer IP checksum offload is not supported by port 0',
    ]);
    await type('port start 0');
    expect(await type('csum show 7')).toBe('The valid ports array is [ 0 1 ]\n');
    expect(t.complaints()).toEqual(['Invalid port 7']);
    expect(await type('csum set icmp hw 0')).toBe('Bad arguments\n');
  });
});

describe('tso', () => {
  it('sets and shows the segment size', async () => {
    expect(await refused('tso set 1000 0')).toEqual(['Please stop port 0 first']);
    expect(await whileStopped('tso set 1000 0')).toBe('TSO segment size for non-tunneled packets is 1000\n');
    expect(txOffloads()).toBe(1 << 5);
    expect(await type('tso show 0')).toBe('TSO segment size for non-tunneled packets is 1000\n');
    expect(await whileStopped('tso set 0 0')).toBe('TSO for non-tunneled packets is disabled\n');
    expect(txOffloads()).toBe(0);
  });

  it('is refused where the port cannot', async () => {
    await type('port stop 1');
    expect(await refused('tso set 1000 1')).toEqual(['Error: TSO is not supported by port 1']);
    await type('port start 1');
  });
});

describe('vlan set', () => {
  const stripOf = async () => /strip (on|off), filter (on|off)/.exec(await type('show port info 0'))?.[0];

  it('takes effect at once, shows in the port info and outlives a restart', async () => {
    expect(await type('vlan set strip on 0')).toBe('');
    expect(await stripOf()).toBe('strip on, filter off');
    await type('vlan set filter on 0');
    expect(await stripOf()).toBe('strip on, filter on');
    expect(vlanCalls).toEqual(['test_puppet0 offload 1', 'test_puppet0 offload 3']);
    await whileStopped('tso set 1000 0');
    expect(await stripOf()).toBe('strip on, filter on');
    await type('vlan set filter off 0');
    await type('vlan set strip off 0');
    expect(await stripOf()).toBe('strip off, filter off');
    await whileStopped('tso set 0 0');
    expect(t.complaints()).toEqual([]);
  });

  it('is refused where the port cannot', async () => {
    expect(await refused('vlan set extend on 0')).toEqual([
      'vlan_extend_set(port_pi=0, on=1) failed diag=-22',
    ]);
    expect(await refused('vlan set strip on 1')).toEqual([
      'rx_vlan_strip_set(port_pi=1, on=1) failed diag=-95',
    ]);
    expect(await stripOf()).toBe('strip off, filter off');
  });
});

describe('tx_vlan', () => {
  it('configures the port to insert the tag, and not to', async () => {
    expect(await refused('tx_vlan set 0 42')).toEqual(['Please stop port 0 first']);
    await whileStopped('tx_vlan set 0 42');
    expect(t.app.settings.txVlan.get(0)).toBe(42);
    expect(txOffloads()).toBe(1);
    await whileStopped('tx_vlan reset 0');
    expect(t.app.settings.txVlan.has(0)).toBe(false);
    expect(txOffloads()).toBe(0);
  });

  it('refuses ids that do not exist and ports that cannot', async () => {
    await type('port stop all');
    expect(await refused('tx_vlan set 0 4096')).toEqual(['Invalid vlan_id 4096 (must be < 4096)']);
    expect(await refused('tx_vlan set 1 1')).toEqual(['Error: vlan insert is not supported by port 1']);
    await type('port start all');
  });
});

describe('rx_vlan', () => {
  it('changes the filter of the port', async () => {
    await type('vlan set filter on 0');
    vlanCalls.length = 0;
    await type('rx_vlan add 5 0');
    await type('rx_vlan rm 0x5 0');
    expect(vlanCalls).toEqual(['test_puppet0 filter 5 true', 'test_puppet0 filter 5 false']);
    await type('rx_vlan add all 0');
    expect(vlanCalls).toHaveLength(2 + 4096);
    expect(vlanCalls.at(-1)).toBe('test_puppet0 filter 4095 true');
    await type('vlan set filter off 0');
  });

  it('says once what the port cannot', async () => {
    const text = 'rx_vft_set(port_pi=1, vlan_id=0, on=1) failed diag=-95';
    expect(await refused('rx_vlan add all 1')).toEqual([text]);
    expect(await refused('rx_vlan add 9999 0')).toEqual(['Invalid vlan_id 9999 (must be < 4096)']);
    expect(await refused('rx_vlan add five 0')).toEqual(['Bad arguments']);
  });
});
