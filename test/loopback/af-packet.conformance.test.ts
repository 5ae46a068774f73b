/** net_af_packet against the conformance suite, on veth pairs; the other side is a second port at the other end. */

import { afPacketDriver } from '@pollwire/drivers';
import { describeDriver } from '@pollwire/testkit';
import { afterAll } from 'vitest';
import { ip, uniqueName, withoutIpv6 } from '../harness/network.js';
import { describePeer } from '../harness/scenario.js';
import { attachPeer } from './port-peer.js';

const rings = 'blocksz=65536,framesz=16384,framecnt=256';

describePeer(['net-admin'], 'on a veth pair', () => {
  const names: string[] = [];
  afterAll(() => {
    for (const name of names) if (name !== undefined) ip(`link del ${name}`);
  });

  function makePair(n: number): string {
    const name = uniqueName();
    names[n] = name;
    ip(`link add ${name} mtu 9100 type veth peer name ${name}p mtu 9100`);
    for (const end of [name, `${name}p`]) withoutIpv6(end);
    ip(`link set ${name} up`);
    return name;
  }

  describeDriver({
    driver: afPacketDriver,
    devargs: (n) => `,iface=${makePair(n)},${rings}`,
    refused: [
      ['', /iface.*required/],
      [',iface=no-such-one', /no such interface/],
      [',iface=lo,blocksz=1000', /blocksz=1000.*4096/],
      [',iface=lo,framesz=1000', /framesz=1000.*16/],
      [',iface=lo,framesz=8192', /framesz=8192.*blocksz/],
      [',iface=lo,framecnt=1', /framecnt=1/],
      [',iface=lo,qpairs=17', /qpairs.*17/],
      [',iface=lo,fanout_mode=rest', /fanout_mode=rest/],
    ],
    overflow: 'lost',
    async peer(_port, n, eal) {
      const end = `${names[n]}p`;
      ip(`link set ${end} up`);
      const peer = await attachPeer(eal, `net_af_packet${1000 + n},iface=${end},${rings}`, 1);
      return {
        ...peer,
        async close() {
          await peer.close();
          ip(`link set ${end} down`);
        },
      };
    },
  });
});
