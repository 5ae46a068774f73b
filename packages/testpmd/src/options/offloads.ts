/** Options that ask ports for offloads. A port that lacks one says so when it is configured. */
import { RX_OFFLOADS } from '@pollwire/ethdev';
import { PollwireError } from '@pollwire/native';
import type { OptionRow } from './table.js';

function rx(name: string, help: string, ...offloads: (keyof typeof RX_OFFLOADS)[]): OptionRow {
  return {
    name,
    help,
    apply: (s) => {
      for (const offload of offloads) s.rxOffloads = (s.rxOffloads | (1 << RX_OFFLOADS[offload])) >>> 0;
    },
  };
}

function mask(option: string, value: string): number {
  if (!/^(0x)?[0-9a-f]{1,8}$/i.test(value)) {
    throw new PollwireError(
      'OPTION_VALUE',
      `${option} must be a hexadecimal mask such as 0x2000, not '${value}'.`,
    );
  }
  return Number.parseInt(value.replace(/^0x/i, ''), 16);
}

export const offloadOptions: readonly OptionRow[] = [
  rx('enable-rx-cksum', 'receive checksums verified by the port', 'IPV4_CKSUM', 'UDP_CKSUM', 'TCP_CKSUM'),
  rx('enable-scatter', 'receive into several segments', 'SCATTER'),
  rx('enable-lro', 'receive joined TCP segments', 'TCP_LRO'),
  rx('enable-rx-timestamp', 'receive time in each packet', 'TIMESTAMP'),
  rx('enable-hw-vlan', 'VLAN filter, strip and extend', 'VLAN_FILTER', 'VLAN_STRIP', 'VLAN_EXTEND'),
  rx('enable-hw-vlan-filter', 'VLAN filter', 'VLAN_FILTER'),
  rx('enable-hw-vlan-strip', 'VLAN tag taken out on receive', 'VLAN_STRIP'),
  rx('enable-hw-vlan-extend', 'two VLAN tags', 'VLAN_EXTEND'),
  rx('enable-hw-qinq-strip', 'both VLAN tags taken out on receive', 'QINQ_STRIP'),
  rx('disable-crc-strip', 'keep the frame check sequence', 'KEEP_CRC'),
  {
    name: 'rx-offloads',
    value: 'MASK',
    help: "receive offloads as a hexadecimal mask in ethdev's numbering",
    apply: (s, value, option) => {
      s.rxOffloads = mask(option, value);
    },
  },
  {
    name: 'tx-offloads',
    value: 'MASK',
    help: "transmit offloads as a hexadecimal mask in ethdev's numbering",
    apply: (s, value, option) => {
      s.txOffloads = mask(option, value);
    },
  },
];
