/** Options on queues, bursts and mbufs. */
import { L, PollwireError } from '@pollwire/native';
import { MAX_BURST } from '../settings.js';
import { integer, integers } from '../values.js';
import type { OptionRow } from './table.js';

const MAX_DESCRIPTORS = 65_535;
/** Headroom and the smallest frame: less cannot hold a packet. */
const MIN_MBUF = L.MBUF_HEADROOM + 64;

export const queueOptions: readonly OptionRow[] = [
  {
    name: 'rxq',
    value: 'N',
    help: 'receive queues per port',
    apply: (s, value, option) => {
      s.rxq = integer(option, value, 1, L.MAX_QUEUES);
    },
  },
  {
    name: 'txq',
    value: 'N',
    help: 'transmit queues per port',
    apply: (s, value, option) => {
      s.txq = integer(option, value, 1, L.MAX_QUEUES);
    },
  },
  {
    name: 'rxd',
    value: 'N',
    help: "descriptors per receive queue (0: the driver's default)",
    apply: (s, value, option) => {
      s.rxd = integer(option, value, 0, MAX_DESCRIPTORS);
    },
  },
  {
    name: 'txd',
    value: 'N',
    help: "descriptors per transmit queue (0: the driver's default)",
    apply: (s, value, option) => {
      s.txd = integer(option, value, 0, MAX_DESCRIPTORS);
    },
  },
  {
    name: 'burst',
    value: 'N',
    help: `packets per burst, 1 to ${MAX_BURST} (default 32)`,
    apply: (s, value, option) => {
      s.burst = integer(option, value, 1, MAX_BURST);
    },
  },
  {
    name: 'mbuf-size',
    value: 'BYTES[,BYTES]*',
    help: 'buffer of an mbuf, headroom included (default 2176); each further size makes a further pool',
    apply: (s, value, option) => {
      s.mbufSizes = integers(option, value, MIN_MBUF, 65_535 - 64);
    },
  },
  {
    name: 'total-num-mbufs',
    value: 'N',
    help: 'mbufs per pool (default: what the ports need)',
    apply: (s, value, option) => {
      s.totalMbufs = integer(option, value, 1025, 2 ** 24);
    },
  },
  {
    name: 'mbcache',
    value: 'N',
    help: 'mbufs that each lcore keeps to itself, 0 to 512 (default 250)',
    apply: (s, value, option) => {
      s.mbufCache = integer(option, value, 0, 512);
    },
  },
  {
    name: 'max-pkt-len',
    value: 'BYTES',
    help: 'longest frame, Ethernet header and CRC included',
    apply: (s, value, option) => {
      s.maxPktLen = integer(option, value, 64, 65_535);
    },
  },
  {
    name: 'no-flush-rx',
    help: 'keep what is waiting in the receive queues when forwarding starts',
    apply: (s) => {
      s.flushRx = false;
    },
  },
  {
    name: 'hairpinq',
    value: 'N',
    help: 'only 0 is possible',
    apply: (_s, value, option) => {
      if (value === '0') return;
      throw new PollwireError(
        'OPTION_VALUE',
        `${option}=${value}: no driver here has hairpin queues; leave it out.`,
      );
    },
  },
];
