/**
 * Offload names and their bits, in ethdev's numbering (RTE_ETH_RX_OFFLOAD_*, RTE_ETH_TX_OFFLOAD_*). Called by Port.configure,
 * drivers (capabilities) and testpmd (names ↔ masks).
 */
import { PollwireError } from '@pollwire/native';
import { didYouMean, endSentence } from './suggest.js';

export const RX_OFFLOADS = {
  VLAN_STRIP: 0,
  IPV4_CKSUM: 1,
  UDP_CKSUM: 2,
  TCP_CKSUM: 3,
  TCP_LRO: 4,
  QINQ_STRIP: 5,
  OUTER_IPV4_CKSUM: 6,
  MACSEC_STRIP: 7,
  VLAN_FILTER: 9,
  VLAN_EXTEND: 10,
  SCATTER: 13,
  TIMESTAMP: 14,
  SECURITY: 15,
  KEEP_CRC: 16,
  SCTP_CKSUM: 17,
  OUTER_UDP_CKSUM: 18,
  RSS_HASH: 19,
  BUFFER_SPLIT: 20,
} as const;

export const TX_OFFLOADS = {
  VLAN_INSERT: 0,
  IPV4_CKSUM: 1,
  UDP_CKSUM: 2,
  TCP_CKSUM: 3,
  SCTP_CKSUM: 4,
  TCP_TSO: 5,
  UDP_TSO: 6,
  OUTER_IPV4_CKSUM: 7,
  QINQ_INSERT: 8,
  VXLAN_TNL_TSO: 9,
  GRE_TNL_TSO: 10,
  IPIP_TNL_TSO: 11,
  GENEVE_TNL_TSO: 12,
  MACSEC_INSERT: 13,
  MT_LOCKFREE: 14,
  MULTI_SEGS: 15,
  MBUF_FAST_FREE: 16,
  SECURITY: 17,
  UDP_TNL_TSO: 18,
  IP_TNL_TSO: 19,
  OUTER_UDP_CKSUM: 20,
  SEND_ON_TIMESTAMP: 21,
} as const;

export type RxOffload = keyof typeof RX_OFFLOADS;
export type TxOffload = keyof typeof TX_OFFLOADS;

/** Bits of Port.setVlanOffload (RTE_ETH_VLAN_*_OFFLOAD). */
export const VLAN_STRIP = 1;
export const VLAN_FILTER = 2;
export const VLAN_EXTEND = 4;
export const QINQ_STRIP = 8;

/** The receive offload behind each of these bits. */
const VLAN_BITS: readonly (readonly [bit: number, offload: RxOffload])[] = [
  [VLAN_STRIP, 'VLAN_STRIP'],
  [VLAN_FILTER, 'VLAN_FILTER'],
  [VLAN_EXTEND, 'VLAN_EXTEND'],
  [QINQ_STRIP, 'QINQ_STRIP'],
];

type Table = Readonly<Record<string, number>>;

function mask(table: Table, names: readonly string[], direction: string): number {
  let bits = 0;
  for (const name of names) {
    const bit = table[name];
    if (bit === undefined) {
      throw new PollwireError(
        'OFFLOAD_UNKNOWN',
        endSentence(`Unknown ${direction} offload '${name}'${didYouMean(name, Object.keys(table))}`),
      );
    }
    bits |= 1 << bit;
  }
  return bits >>> 0;
}

function names(table: Table, bits: number): string[] {
  return Object.keys(table).filter((name) => (bits & (1 << (table[name] as number))) !== 0);
}

/** Bit mask of names; a mask passes through. Throws OFFLOAD_UNKNOWN. */
export function rxOffloadMask(offloads: readonly RxOffload[] | number = 0): number {
  return typeof offloads === 'number' ? offloads : mask(RX_OFFLOADS, offloads, 'rx');
}

export function txOffloadMask(offloads: readonly TxOffload[] | number = 0): number {
  return typeof offloads === 'number' ? offloads : mask(TX_OFFLOADS, offloads, 'tx');
}

/** Names of the bits that are set, in bit order. */
export function rxOffloadNames(bits: number): RxOffload[] {
  return names(RX_OFFLOADS, bits) as RxOffload[];
}

export function txOffloadNames(bits: number): TxOffload[] {
  return names(TX_OFFLOADS, bits) as TxOffload[];
}

/** VLAN bits of a receive offload mask. */
export function vlanOffloadOf(rxOffloads: number): number {
  return VLAN_BITS.reduce(
    (bits, [bit, name]) => bits | ((rxOffloads >>> RX_OFFLOADS[name]) & 1 ? bit : 0),
    0,
  );
}

/** A receive offload mask with its VLAN part replaced. */
export function withVlanOffload(rxOffloads: number, vlan: number): number {
  return VLAN_BITS.reduce((all, [bit, name]) => {
    const offload = 1 << RX_OFFLOADS[name];
    return ((vlan & bit) !== 0 ? all | offload : all & ~offload) >>> 0;
  }, rxOffloads);
}
