/** net_tap: an Ethernet interface of the kernel whose other end is a port. Devargs are DPDK's. */
import { bool, defineDriver, flag, later, parseMac, randomMac, str } from '@pollwire/ethdev';
import { PollwireError } from '@pollwire/native';
import { MAX_TAP_PAIRS, TapPort } from './tap-port.js';

export default defineDriver({
  name: 'net_tap',
  aliases: ['eth_tap'],
  summary: 'an Ethernet interface of the kernel: what the host sends there is received here, and back',
  args: {
    iface: str({ default: 'dtap%d', doc: 'name of the interface; %d becomes the first free number' }),
    mac: str({ doc: 'address of the interface and the port: random (default), fixed or an address' }),
    tso: bool({ default: false, doc: 'let the host send TCP packets longer than the MTU' }),
    persist: flag({ doc: 'the interface stays when the port goes' }),
    remote: later(
      '',
      'mirroring another interface is the work of tc or a bridge; or attach net_af_packet,iface=… to that interface',
    ),
  },
  limits: {
    rxQueues: MAX_TAP_PAIRS,
    txQueues: MAX_TAP_PAIRS,
    descriptors: { min: 0, max: 65_535, default: 512 },
    maxRxPktLen: 65_553,
    minMtu: 68,
    maxMtu: 65_521,
  },
  capabilities: {
    rxOffloads: ['VLAN_STRIP', 'UDP_CKSUM', 'TCP_CKSUM', 'TCP_LRO'],
    txOffloads: ['VLAN_INSERT', 'IPV4_CKSUM', 'UDP_CKSUM', 'TCP_CKSUM', 'TCP_TSO', 'MULTI_SEGS'],
    multiSegTx: true,
    multiSegRx: true,
    lsc: true,
    rmv: true,
    rxInterrupt: true,
    alwaysPromiscuous: true,
    speeds: [10_000],
  },
  probe: (ctx) => {
    const { iface, tso, persist } = ctx.args;
    return new TapPort(ctx, {
      iface,
      tun: false,
      tso,
      persist,
      mac: address(ctx.name, ctx.args.mac, ctx.portId),
    });
  },
});

/** undefined: whatever the interface has, which is a random one when it is new. */
function address(device: string, text: string | undefined, port: number): Uint8Array | undefined {
  if (text === undefined) return undefined;
  if (text === 'random') return randomMac();
  // As DPDK has it: "dtap" and a number.
  if (text === 'fixed') return Uint8Array.of(0, 0x64, 0x74, 0x61, 0x70, port);
  try {
    return parseMac(text);
  } catch (cause) {
    const why = 'write random, fixed or an address such as 02:00:00:00:00:01';
    throw new PollwireError('DEVARG_VALUE', `${device}: mac=${text}: ${why}.`, { cause });
  }
}
