/** net_tun: as net_tap, for IP packets without Ethernet in front of them. */
import { defineDriver, flag, str } from '@pollwire/ethdev';
import { MAX_TAP_PAIRS, TapPort } from './tap-port.js';

export default defineDriver({
  name: 'net_tun',
  summary: 'an IP interface of the kernel: packets begin with their IP header',
  args: {
    iface: str({ default: 'dtun%d', doc: 'name of the interface; %d becomes the first free number' }),
    persist: flag({ doc: 'the interface stays when the port goes' }),
  },
  limits: {
    rxQueues: MAX_TAP_PAIRS,
    txQueues: MAX_TAP_PAIRS,
    descriptors: { min: 0, max: 65_535, default: 512 },
    maxRxPktLen: 65_535,
    minMtu: 68,
    maxMtu: 65_535,
  },
  capabilities: {
    txOffloads: ['IPV4_CKSUM', 'UDP_CKSUM', 'TCP_CKSUM', 'TCP_TSO', 'MULTI_SEGS'],
    multiSegTx: true,
    multiSegRx: true,
    lsc: true,
    rmv: true,
    rxInterrupt: true,
    alwaysPromiscuous: true,
    speeds: [10_000],
  },
  probe: (ctx) => {
    const { iface, persist } = ctx.args;
    return new TapPort(ctx, { iface, tun: true, tso: false, persist, mac: undefined });
  },
});
