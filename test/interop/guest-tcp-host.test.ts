/**
 * TCP between a Linux guest and the host's own kernel: guest NIC, our vhost port, `io`, our tap port, the host's stack. Checksum and
 * segmentation offload on both sides. POLLWIRE_TCP_MIB chooses the size.
 */
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { expect } from 'vitest';
import { vhost } from '../harness/dpdk.js';
import { ip, uniqueName } from '../harness/network.js';
import { startPollwire } from '../harness/pollwire.js';
import { startGuest } from '../harness/qemu.js';
import { nicMac } from '../harness/qemu-args.js';
import { describePeer, scenario } from '../harness/scenario.js';
import type { Scope } from '../harness/scope.js';
import { hashOf, noteTransfer, TcpContent, tcpMebibytes, tcpTimeout } from '../harness/tcp-content.js';

/** Addresses for tests between devices (RFC 2544): no network has them. */
const HOST = '198.18.77.1';
const GUEST = '198.18.77.2';

/** csum, guest_csum, guest_tso4, host_tso4. */
const OFFLOADS = [0, 1, 7, 11];

function guestLines(port: number): string {
  const features = OFFLOADS.map((bit) => `[ "$(feature $A ${bit})" = 1 ] || exit 2`).join('\n');
  return `
    A=$(nic_by_mac ${nicMac(0)})
    ${features}
    net_up $A ${GUEST} 1500 || exit 4
    lossless_ping 5 ${HOST} || exit 5
    mark START
    nc ${HOST} ${port} -e /send || exit 6
    nc -l -p 5002 -e /take back &
    BACK=$!
    sleep 0.5
    mark LISTEN
    wait $BACK
    mark HASH back $(cat /tmp/back)`;
}

/** What the guest sends to the host, once. */
async function receiveOnHost(scope: Scope): Promise<{ port: number; hash: Promise<string> }> {
  const server = createServer();
  scope.onClose(() => void server.close());
  server.listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, hash: once(server, 'connection').then(([socket]) => hashOf(socket as Socket)) };
}

async function transfer(scope: Scope, mebibytes: number, timeoutMs: number): Promise<void> {
  const content = new TcpContent(mebibytes);
  const [socket, iface] = [scope.path('s0'), uniqueName()];
  const session = await startPollwire(scope, {
    name: 'back-end',
    vdevs: [`${vhost(0, socket)},tso=1`, `net_tap0,iface=${iface},tso=1`],
    forward: 'io',
    appArgs: ['--idle', 'adaptive'],
  });
  ip(`addr add ${HOST}/24 dev ${iface}`);
  await session.startForwarding();
  const arrived = await receiveOnHost(scope);
  const guest = startGuest(scope, {
    nics: [{ socket }],
    memoryMiB: 384,
    script: guestLines(arrived.port),
    files: content.guestFiles(),
  });

  await guest.waitOutput(/^@@START/, 120_000);
  const began = Date.now();
  expect(await arrived.hash).toBe(content.hash);
  noteTransfer('guest to host', mebibytes, (Date.now() - began) / 1000, content.hash);

  await guest.waitOutput(/^@@LISTEN/, 60_000);
  const again = Date.now();
  await content.sendTo(connect(5002, GUEST));
  const [, hash] = await guest.waitOutput(/^@@HASH back (\w{32})/, timeoutMs);
  expect(hash).toBe(content.hash);
  noteTransfer('host to guest', mebibytes, (Date.now() - again) / 1000, content.hash);
  expect(await guest.finish(60_000)).toBe(0);

  for (const id of [0, 1]) {
    const { rxBytes } = await session.portStats(id);
    expect(rxBytes, `port ${id}`).toBeGreaterThan(mebibytes << 20);
    const xstats = await session.xstats(id);
    // Packets that only segmentation offload makes, from the guest and from the host.
    expect(xstats.get('rx_q0_size_1519_max_packets'), `port ${id}`).toBeGreaterThan(0);
    for (const [name, value] of xstats) {
      if (name.includes('drop') || name.includes('errors')) expect(value, `port ${id} ${name}`).toBe(0);
    }
  }
}

describePeer(['qemu', 'tap'], "TCP between a guest and the host's kernel through vhost, io and tap", () => {
  const mebibytes = tcpMebibytes(16);
  const most = tcpTimeout(mebibytes);
  scenario(`${mebibytes} MiB each way with checksum and segmentation offload`, most + 10_000, (scope) =>
    transfer(scope, mebibytes, most),
  );
});
