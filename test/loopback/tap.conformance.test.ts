/** net_tap against the conformance suite; the other side is the kernel's end of the interface, through a packet socket. */

import { afPacketDriver, tapDriver } from '@pollwire/drivers';
import { describeDriver } from '@pollwire/testkit';
import { afterAll } from 'vitest';
import { ip, uniqueName, withoutIpv6 } from '../harness/network.js';
import { describePeer } from '../harness/scenario.js';
import { attachPeer } from './port-peer.js';

describePeer(['tap'], 'on the kernel', () => {
  const names: string[] = [];
  afterAll(() => {
    for (const name of names) if (name !== undefined) ip(`link del ${name}`);
  });

  /** Made beforehand, so that it can be told to be quiet before it comes up. */
  function makeTap(n: number): string {
    const name = uniqueName();
    names[n] = name;
    ip(`tuntap add dev ${name} mode tap multi_queue vnet_hdr`);
    withoutIpv6(name);
    ip(`link set ${name} mtu 9100`);
    return name;
  }

  describeDriver({
    driver: tapDriver,
    devargs: (n) => `,iface=${makeTap(n)}`,
    refused: [
      [',iface=a-name-of-16-byt', /15/],
      [',iface=a/b', /no name/],
      [',iface=lo', /no tap/],
      [',mac=twelve', /random, fixed or an address/],
      [',remote=lo', /tc or a bridge/],
    ],
    overflow: 'lost',
    peerDrivers: [afPacketDriver],
    async peer(_port, n, eal) {
      const name = names[n];
      ip(`link set ${name} up`);
      const rings = 'blocksz=65536,framesz=16384,framecnt=256';
      const peer = await attachPeer(eal, `net_af_packet${n},iface=${name},${rings}`, 1);
      return {
        ...peer,
        async close() {
          await peer.close();
          ip(`link set ${name} down`);
        },
      };
    },
  });
});
