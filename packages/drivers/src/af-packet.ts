/** net_af_packet: an interface that the kernel has (a NIC, a veth, a bridge), through packet sockets. Devargs and defaults are DPDK's. */
import { bool, choice, defineDriver, int, str } from '@pollwire/ethdev';
import { AfPacketPort, FANOUT_MODES } from './af-packet-port.js';

const MAX_PAIRS = 16;

export default defineDriver({
  name: 'net_af_packet',
  aliases: ['eth_af_packet'],
  summary: "an interface of the kernel through packet sockets: it sees a copy, the host's stack goes on",
  args: {
    iface: str({ required: true, doc: 'name of the interface' }),
    qpairs: int({ default: 1, min: 1, max: MAX_PAIRS, doc: 'queue pairs, a socket each' }),
    blocksz: int({ default: 4096, min: 1, max: 1 << 30, doc: 'bytes of a block of the rings; whole pages' }),
    framesz: int({
      default: 2048,
      min: 1,
      max: 1 << 30,
      doc: 'bytes of a frame of the rings; longer packets are dropped',
    }),
    framecnt: int({ default: 512, min: 1, max: 1 << 20, doc: 'frames of each ring' }),
    qdisc_bypass: bool({ default: false, doc: 'send past the queueing discipline of the interface' }),
    fanout_mode: choice(FANOUT_MODES, {
      doc: 'how several queues share what arrives; default hash with defrag',
    }),
  },
  limits: {
    rxQueues: MAX_PAIRS,
    txQueues: MAX_PAIRS,
    descriptors: { min: 0, max: 65_535, default: 512 },
    maxRxPktLen: 65_553,
    minMtu: 68,
    maxMtu: 65_535,
  },
  capabilities: {
    rxOffloads: ['VLAN_STRIP', 'UDP_CKSUM', 'TCP_CKSUM'],
    txOffloads: ['VLAN_INSERT', 'IPV4_CKSUM', 'UDP_CKSUM', 'TCP_CKSUM', 'TCP_TSO', 'MULTI_SEGS'],
    multiSegTx: true,
    multiSegRx: true,
    lsc: true,
    rmv: true,
    rxInterrupt: true,
    speeds: [10_000],
  },
  probe: (ctx) => new AfPacketPort(ctx),
});
