/** net_vhost: a port whose queues are the vrings of a vhost-user front-end. Thin: sockets, messages and rings are the library's. */
import { bool, defineDriver, int, path } from '@pollwire/ethdev';
import { VhostPort } from './vhost-port.js';

const MAX_PAIRS = 128;

export default defineDriver({
  name: 'net_vhost',
  aliases: ['eth_vhost'],
  summary: 'vhost-user device side: attach a QEMU guest or a virtio-user process through a socket',

  args: {
    iface: path({ required: true, doc: 'socket path, at most 107 bytes' }),
    queues: int({ default: 1, min: 1, max: MAX_PAIRS, doc: 'queue pairs' }),
    client: bool({
      default: false,
      doc: 'connect to the socket instead of listening on it; reconnects for ever',
    }),
    'iommu-support': bool({
      default: false,
      doc: 'let the guest put the device behind an IOMMU; addresses are translated by the front-end',
    }),
    'postcopy-support': bool({
      default: false,
      doc: 'a guest may arrive before its memory (postcopy migration); not in a process that locks its memory',
    }),
    tso: bool({
      default: false,
      doc: 'let the guest send TCP packets of up to 64 KiB, to be cut by whoever sends them on',
    }),
    'linear-buffer': bool({
      default: false,
      doc: 'never chain mbufs on rx: longer packets are dropped and tso has no effect, unless ext-buffer=1',
    }),
    'ext-buffer': bool({
      default: false,
      doc: 'put rx packets longer than one mbuf into one larger buffer of a pool of their own',
    }),
    'legacy-ol-flags': bool({
      default: false,
      doc: 'mark rx packets with TX requests instead of RX flags, as DPDK did before 21.11',
    }),
  },

  limits: {
    rxQueues: MAX_PAIRS,
    txQueues: MAX_PAIRS,
    // The front-end decides the ring size; what the application asks for is only checked.
    descriptors: { min: 0, max: 65535, default: 0 },
    maxRxPktLen: 0xffff_ffff,
  },

  capabilities: {
    multiSegTx: true,
    multiSegRx: true,
    lsc: true,
    queueState: true,
    rxInterrupt: true,
    alwaysPromiscuous: true,
    rxOffloads: ['VLAN_STRIP', 'UDP_CKSUM', 'TCP_CKSUM'],
    txOffloads: ['VLAN_INSERT', 'UDP_CKSUM', 'TCP_CKSUM', 'TCP_TSO', 'MULTI_SEGS'],
    speeds: [10_000],
  },

  probe: (ctx) => new VhostPort(ctx),
});
