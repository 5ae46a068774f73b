/** Options on which ports forward, to whom, and how they are watched. */
import { readFileSync } from 'node:fs';
import { formatMac, parseMac } from '@pollwire/ethdev';
import { L, PollwireError } from '@pollwire/native';
import type { Settings } from '../settings.js';
import { integer, maskBits, numberList, oneOf } from '../values.js';
import type { OptionRow } from './table.js';

function setPeer(settings: Settings, value: string, option: string): void {
  const comma = value.indexOf(',');
  if (comma < 0) {
    throw new PollwireError(
      'OPTION_VALUE',
      `${option} needs a port and a MAC address, such as ${option}=0,02:00:00:00:00:05.`,
    );
  }
  const port = integer(`${option}: the port`, value.slice(0, comma), 0, L.MAX_PORTS - 1);
  settings.ethPeers.set(port, formatMac(parseMac(value.slice(comma + 1))));
}

/** One MAC address per line; line N is the peer of port N. Empty lines and lines that start with # do not count. */
function peersFromFile(settings: Settings, path: string, option: string): void {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new PollwireError('OPTION_VALUE', `${option}: cannot read ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .forEach((line, port) => void settings.ethPeers.set(port, formatMac(parseMac(line))));
}

export const portOptions: readonly OptionRow[] = [
  {
    name: 'nb-ports',
    value: 'N',
    help: 'forward between the first N ports',
    apply: (s, value, option) => {
      s.nbPorts = integer(option, value, 1, L.MAX_PORTS);
    },
  },
  {
    name: 'portmask',
    value: 'MASK',
    help: 'forwarding ports as a hexadecimal mask',
    apply: (s, value, option) => {
      s.portList = maskBits(option, value);
    },
  },
  {
    name: 'portlist',
    value: 'P[,P|P-P]*',
    help: 'forwarding ports in order',
    apply: (s, value, option) => {
      s.portList = numberList(option, value, L.MAX_PORTS - 1);
    },
  },
  {
    name: 'port-topology',
    value: 'paired|chained|loop',
    help: 'where packets of a port go: to its neighbour, to the next port, or back',
    apply: (s, value, option) => {
      s.topology = oneOf(option, value === 'chain' ? 'chained' : value, ['paired', 'chained', 'loop']);
    },
  },
  { name: 'eth-peer', value: 'PORT,MAC', help: 'destination MAC of what leaves PORT', apply: setPeer },
  {
    name: 'eth-peers-configfile',
    value: 'FILE',
    help: 'destination MACs, one line per port',
    apply: peersFromFile,
  },
  {
    name: 'disable-device-start',
    help: 'do not start the ports',
    apply: (s) => {
      s.startDevices = false;
    },
  },
  {
    name: 'no-lsc-interrupt',
    help: 'poll the link instead of being told of its changes',
    apply: (s) => {
      s.linkInterrupt = false;
    },
  },
  {
    name: 'no-rmv-interrupt',
    help: 'do not detach a port whose device went away',
    apply: (s) => {
      s.removalInterrupt = false;
    },
  },
  {
    name: 'disable-link-check',
    help: 'do not look at the links when ports start and stop',
    apply: (s) => {
      s.checkLinks = false;
    },
  },
];
