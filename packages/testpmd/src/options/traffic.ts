/** Options on generated traffic (txonly, flowgen) and on the noisy engine. */
import { PollwireError } from '@pollwire/native';
import { integer, oneOf, parseIpv4, segmentLengths } from '../values.js';
import type { OptionRow } from './table.js';

const MAX_FLOWS = 0x7fff_ffff;

function pair(option: string, value: string, secondOptional: boolean): [string, string | undefined] {
  const parts = value.split(',');
  const [first, second] = parts;
  if (first === undefined || parts.length > 2 || (second === undefined && !secondOptional)) {
    throw new PollwireError(
      'OPTION_VALUE',
      `${option} needs a source and a destination, separated by a comma, not '${value}'.`,
    );
  }
  return [first, second];
}

export const trafficOptions: readonly OptionRow[] = [
  {
    name: 'txpkts',
    value: 'BYTES[,BYTES]*',
    help: 'length of generated packets, or of each of their segments (default 64)',
    // The data room is known only with --mbuf-size, which may come later; Settings are checked once more before ports start.
    apply: (s, value, option) => {
      s.traffic.segments = segmentLengths(option, value, 65_535);
    },
  },
  {
    name: 'txonly-multi-flow',
    help: 'txonly: vary the UDP source port',
    apply: (s) => {
      s.traffic.multiFlow = true;
    },
  },
  {
    name: 'txonly-flows',
    value: 'N',
    help: 'txonly: number of flows with --txonly-multi-flow (default 1024)',
    apply: (s, value, option) => {
      s.traffic.txonlyFlows = integer(option, value, 1, 16_384);
    },
  },
  {
    name: 'flowgen-flows',
    value: 'N',
    help: 'flowgen: number of flows (default 1024)',
    apply: (s, value, option) => {
      s.traffic.flowgenFlows = integer(option, value, 1, MAX_FLOWS);
    },
  },
  {
    name: 'flowgen-clones',
    value: 'N',
    help: 'flowgen: send each packet N further times; less than the burst',
    apply: (s, value, option) => {
      s.traffic.flowgenClones = integer(option, value, 0, 511);
    },
  },
  {
    name: 'tx-ip',
    value: 'SRC,DST',
    help: 'txonly: IPv4 addresses (default 198.18.0.1,198.18.0.2)',
    apply: (s, value, option) => {
      const [source, destination] = pair(option, value, false) as [string, string];
      parseIpv4(option, source);
      parseIpv4(option, destination);
      s.traffic.ipSource = source;
      s.traffic.ipDestination = destination;
    },
  },
  {
    name: 'tx-udp',
    value: 'SRC[,DST]',
    help: 'txonly: UDP ports (default 9,9)',
    apply: (s, value, option) => {
      const [source, destination] = pair(option, value, true);
      s.traffic.udpSource = integer(option, source, 1, 65_535);
      s.traffic.udpDestination =
        destination === undefined ? s.traffic.udpSource : integer(option, destination, 1, 65_535);
    },
  },
  {
    name: 'noisy-tx-sw-buffer-size',
    value: 'N',
    help: 'noisy: hold N packets back in a FIFO',
    apply: (s, value, option) => {
      s.noisy.bufferSize = integer(option, value, 0, 1 << 20);
    },
  },
  {
    name: 'noisy-tx-sw-buffer-flushtime',
    value: 'MS',
    help: 'noisy: empty the FIFO every MS milliseconds',
    apply: (s, value, option) => {
      s.noisy.flushMs = integer(option, value, 0, 3_600_000);
    },
  },
  {
    name: 'noisy-lkup-memory',
    value: 'MIB',
    help: 'noisy: memory that lookups go to',
    apply: (s, value, option) => {
      s.noisy.memoryMiB = integer(option, value, 0, 1024);
    },
  },
  {
    name: 'noisy-lkup-num-writes',
    value: 'N',
    help: 'noisy: random writes per packet',
    apply: (s, value, option) => {
      s.noisy.writes = integer(option, value, 0, 65_535);
    },
  },
  {
    name: 'noisy-lkup-num-reads',
    value: 'N',
    help: 'noisy: random reads per packet',
    apply: (s, value, option) => {
      s.noisy.reads = integer(option, value, 0, 65_535);
    },
  },
  {
    name: 'noisy-lkup-num-reads-writes',
    value: 'N',
    help: 'noisy: random reads and writes per packet',
    apply: (s, value, option) => {
      s.noisy.readWrites = integer(option, value, 0, 65_535);
    },
  },
  {
    name: 'noisy-forward-mode',
    value: 'MODE',
    help: 'noisy: io, mac, macswap or 5tswap',
    apply: (s, value, option) => {
      s.noisy.mode = oneOf(option, value, ['io', 'mac', 'macswap', '5tswap']);
    },
  },
];
