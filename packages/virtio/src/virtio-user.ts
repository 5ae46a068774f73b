/** net_virtio_user: the guest's side of a vhost-user connection, without a guest. Devargs and defaults are DPDK's. */
import { bool, defineDriver, int, mac, path, SPEED_UNKNOWN } from '@pollwire/ethdev';
import { MAX_MACS, MAX_MULTICAST_MACS } from './rx-filter.js';
import { MAX_MTU, MAX_RX_PKT_LEN } from './user-mtu.js';
import { VirtioUserPort } from './user-port.js';

const MAX_PAIRS = 128;

export default defineDriver({
  name: 'net_virtio_user',
  aliases: ['virtio_user'],
  summary: 'virtio driver side over a vhost-user socket: connect to a switch or to another net_vhost port',

  args: {
    path: path({ required: true, doc: 'socket of the back-end' }),
    mac: mac({ doc: 'address of the port; default random' }),
    queues: int({ default: 1, min: 1, max: MAX_PAIRS, doc: 'queue pairs' }),
    queue_size: int({
      default: 256,
      min: 1,
      max: 32_768,
      doc: 'descriptors per ring; a power of two unless packed',
    }),
    cq: bool({
      default: false,
      doc: 'accepted; receive modes, addresses and VLANs are filtered by the port itself either way',
    }),
    server: bool({ default: false, doc: 'listen for the back-end instead of connecting to it' }),
    mrg_rxbuf: bool({ default: true, doc: 'ask for mergeable receive buffers' }),
    in_order: bool({ default: true, doc: 'ask for in-order use of buffers' }),
    packed_vq: bool({ default: false, doc: 'ask for packed rings' }),
    vectorized: bool({ default: false, doc: 'accepted; the fastest path is always chosen' }),
    speed: int({ default: SPEED_UNKNOWN, min: 0, max: SPEED_UNKNOWN, doc: 'link speed to report, Mbit/s' }),
  },

  limits: {
    rxQueues: MAX_PAIRS,
    txQueues: MAX_PAIRS,
    descriptors: { min: 1, max: 32_768, default: 256 },
    maxRxPktLen: MAX_RX_PKT_LEN,
    minMtu: 68,
    maxMtu: MAX_MTU,
    macs: MAX_MACS,
    multicastMacs: MAX_MULTICAST_MACS,
  },

  capabilities: {
    multiSegTx: true,
    multiSegRx: true,
    lsc: true,
    rxInterrupt: true,
    rxOffloads: ['VLAN_STRIP', 'VLAN_FILTER', 'UDP_CKSUM', 'TCP_CKSUM', 'TCP_LRO'],
    txOffloads: ['VLAN_INSERT', 'UDP_CKSUM', 'TCP_CKSUM', 'TCP_TSO', 'MULTI_SEGS'],
  },

  probe: (ctx) => VirtioUserPort.open(ctx),
});
