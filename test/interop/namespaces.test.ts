/**
 * Two network namespaces of the host talk through our testpmd: between two tap ports, and between two af_packet ports on veth pairs. Ping
 * without loss, TCP in both directions with equal hashes.
 */
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { ip, Namespace, uniqueName, withoutIpv6 } from '../harness/network.js';
import { startPollwire } from '../harness/pollwire.js';
import { describePeer, scenario } from '../harness/scenario.js';
import type { Scope } from '../harness/scope.js';
import type { TestpmdSession } from '../harness/testpmd-session.js';
import { waitUntil } from '../harness/wait.js';

const PROGRAM = fileURLToPath(new URL('./programs/tcp-end.js', import.meta.url));
const MIB = 64;

interface Net {
  session: TestpmdSession;
  ends: readonly [Namespace, Namespace];
  /** Interface in each namespace. */
  devices: readonly [string, string];
}

const addressOf = (end: 0 | 1) => `10.77.0.${end + 1}`;

async function testpmd(scope: Scope, vdevs: readonly string[]): Promise<TestpmdSession> {
  const session = await startPollwire(scope, {
    name: 'bridge',
    vdevs,
    forward: 'io',
    appArgs: ['--idle', 'adaptive'],
  });
  await session.startForwarding();
  return session;
}

/** The tap interfaces are made by testpmd and taken into the namespaces. */
async function overTap(scope: Scope, devargs: string): Promise<Net> {
  const devices = [uniqueName(), uniqueName()] as const;
  const ends = [new Namespace(scope), new Namespace(scope)] as const;
  const session = await testpmd(
    scope,
    devices.map((name, i) => `net_tap${i},iface=${name}${devargs}`),
  );
  for (const end of [0, 1] as const) ends[end].adopt(devices[end], `${addressOf(end)}/24`);
  return { session, ends, devices };
}

/** The far ends of two veth pairs are in the namespaces, the near ones stay and get the ports. */
async function overVeth(scope: Scope, devargs: string): Promise<Net> {
  const ends = [new Namespace(scope), new Namespace(scope)] as const;
  const near = [uniqueName(), uniqueName()] as const;
  const devices = [`${near[0]}p`, `${near[1]}p`] as const;
  for (const end of [0, 1] as const) {
    ip(`link add ${near[end]} type veth peer name ${devices[end]}`);
    withoutIpv6(near[end]);
    ip(`link set ${near[end]} up`);
    ends[end].adopt(devices[end], `${addressOf(end)}/24`);
  }
  const session = await testpmd(
    scope,
    near.map((name, i) => `net_af_packet${i},iface=${name}${devargs}`),
  );
  return { session, ends, devices };
}

function ping({ ends }: Net): void {
  const text = ends[0].run('ping', ['-q', '-c', '20', '-i', '0.05', '-W', '5', addressOf(1)]);
  expect(text).toContain('20 received, 0% packet loss');
}

async function tcp(scope: Scope, { ends }: Net, from: 0 | 1): Promise<void> {
  const to = from === 0 ? 1 : 0;
  const take = scope.start({
    name: `taker ${to}`,
    ...ends[to].command(process.execPath, [PROGRAM, 'take', addressOf(to), '5001']),
  });
  await take.waitFor(/LISTENING/, 30_000);
  const send = scope.start({
    name: `sender ${from}`,
    ...ends[from].command(process.execPath, [PROGRAM, 'send', addressOf(to), '5001', String(MIB)]),
  });
  const [, sent] = await send.waitFor(/HASH (\w{32})/, 120_000);
  const [, arrived] = await take.waitFor(/HASH (\w{32})/, 30_000);
  expect(arrived).toBe(sent);
  await take.exited;
}

async function bothWays(scope: Scope, net: Net, large: boolean): Promise<void> {
  ping(net);
  await tcp(scope, net, 0);
  await tcp(scope, net, 1);
  for (const port of [0, 1]) {
    const xstats = await net.session.xstats(port);
    expect(xstats.get('rx_q0_bytes'), `port ${port}`).toBeGreaterThan(MIB << 20);
    const longer = xstats.get('rx_q0_size_1519_max_packets');
    if (large) expect(longer, `port ${port}`).toBeGreaterThan(0);
    else expect(longer, `port ${port}`).toBe(0);
    for (const [name, value] of xstats) {
      if (name.includes('drop') || name.includes('errors')) expect(value, `port ${port} ${name}`).toBe(0);
    }
  }
}

describePeer(['tap'], 'two namespaces through two tap ports', () => {
  scenario('ping and TCP with segmentation offload', 240_000, async (scope) => {
    await bothWays(scope, await overTap(scope, ',tso=1'), true);
  });
  scenario('ping and TCP without', 240_000, async (scope) => {
    await bothWays(scope, await overTap(scope, ''), false);
  });
});

describePeer(['net-admin'], 'two namespaces through two af_packet ports on veth pairs', () => {
  scenario('ping and TCP with frames that hold the longest packets', 240_000, async (scope) => {
    const rings = ',blocksz=69632,framesz=69632,framecnt=256';
    await bothWays(scope, await overVeth(scope, rings), true);
  });
  scenario('ping with the default rings, and an interface that goes', 120_000, async (scope) => {
    const net = await overVeth(scope, '');
    ping(net);
    net.ends[1].ip(`link del ${net.devices[1]}`);
    await net.session.process.waitFor(/is gone: the port is broken/, 10_000);
    // testpmd lets go of a port that was removed; the other one goes on.
    await waitUntil('port 1 to be detached', 10_000, async () =>
      (await net.session.command('show port info 1')).includes('Invalid port 1') ? true : undefined,
    );
    const before = (await net.session.portStats(0)).rxPackets;
    expect(before).toBeGreaterThan(19);
    expect(() => ping(net)).toThrow('100% packet loss');
    expect((await net.session.portStats(0)).rxPackets).toBeGreaterThan(before);
  });
});
