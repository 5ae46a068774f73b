/** The packet dump of `set verbose`: one header line per burst, two lines per packet, worded as DPDK's. Allocates; never called at level 0. */
import type { Burst } from '@pollwire/ethdev';
import { formatMac } from '@pollwire/ethdev';
import { L, native } from '@pollwire/native';
import { u16be } from './bytes.js';
import type { EngineContext } from './engine.js';
import { Headers, PROTO } from './headers.js';
import { WINDOW_BYTES } from './window.js';

export interface DumpWhere {
  port: number;
  queue: number;
  received: boolean;
}

/** Prints the first `n` packets of the burst. */
export function dumpBurst(ctx: EngineContext, burst: Burst, n: number, where: DumpWhere): void {
  const verb = where.received ? 'received' : 'sent';
  let text = `port ${where.port}/queue ${where.queue}: ${verb} ${n} packets\n`;
  for (let i = 0; i < n; i++) text += dumpPacket(ctx, burst.handles[i] as number, where);
  ctx.print(text);
}

const hex = (value: number, width = 0): string => value.toString(16).padStart(width, '0');

function dumpPacket(ctx: EngineContext, h: number, where: DumpWhere): string {
  const { mbufs } = ctx;
  const bytes = new Uint8Array(WINDOW_BYTES);
  const length = mbufs.read(h, 0, bytes);
  const headers = new Headers();
  headers.parse(bytes, 0, length);
  const flags = mbufs.olFlags(h);
  const parts = [
    `src=${formatMac(bytes.subarray(6, 12))}`,
    `dst=${formatMac(bytes.subarray(0, 6))}`,
    `pool=${native.poolInfo(mbufs.pool(h)).name}`,
    `type=0x${hex(length < 14 ? 0 : u16be(bytes, 12), 4)}`,
    `length=${mbufs.pktLen(h)}`,
    `nb_segs=${mbufs.nbSegs(h)}`,
    ...((flags & L.OL_RX_RSS_HASH) !== 0
      ? [`RSS hash=0x${hex(mbufs.hashRss(h))}`, `RSS queue=0x${hex(where.queue)}`]
      : []),
    ...((flags & L.OL_RX_VLAN) !== 0 ? [`VLAN tci=0x${hex(mbufs.vlanTci(h))}`] : []),
    `sw ptype: ${packetType(headers)
      .map((name) => `${name} `)
      .join('')}`,
    ...headerLengths(headers, bytes),
    `${where.received ? 'Receive' : 'Send'} queue=0x${hex(where.queue)}`,
  ];
  const names = where.received ? rxFlagNames(flags) : txFlagNames(flags);
  return `  ${parts.join(' - ')}\n  ol_flags: ${names.map((name) => `RTE_MBUF_F_${name} `).join('')}\n`;
}

function packetType(headers: Headers): string[] {
  const names: string[] = [];
  if (headers.l2Len > 0) names.push(['L2_ETHER', 'L2_ETHER_VLAN', 'L2_ETHER_QINQ'][headers.tags] as string);
  if (headers.ipVersion !== 0) names.push(`L3_IPV${headers.ipVersion}${headers.extended ? '_EXT' : ''}`);
  if (headers.fragment) names.push('L4_FRAG');
  else if (headers.l4 >= 0) {
    const l4 = new Map<number, string>([
      [PROTO.TCP, 'L4_TCP'],
      [PROTO.UDP, 'L4_UDP'],
      [PROTO.SCTP, 'L4_SCTP'],
    ]).get(headers.proto);
    if (l4 !== undefined) names.push(l4);
  }
  return names;
}

function headerLengths(headers: Headers, bytes: Uint8Array): string[] {
  const parts: string[] = [];
  if (headers.l2Len > 0) parts.push(`l2_len=${headers.l2Len}`);
  if (headers.l3Len > 0) parts.push(`l3_len=${headers.l3Len}`);
  if (headers.fragment || headers.l4Len === 0) return parts;
  const { proto } = headers;
  if (proto !== PROTO.TCP && proto !== PROTO.UDP && proto !== PROTO.SCTP) return parts;
  parts.push(`l4_len=${headers.l4Len}`);
  if (proto !== PROTO.SCTP) {
    parts.push(`Destination ${proto === PROTO.TCP ? 'TCP' : 'UDP'} port=${u16be(bytes, headers.l4 + 2)}`);
  }
  return parts;
}

/** One of four verdicts from a pair of bits. */
function verdict(flags: number, good: number, bad: number): string {
  if ((flags & good) !== 0) return (flags & bad) !== 0 ? 'NONE' : 'GOOD';
  return (flags & bad) !== 0 ? 'BAD' : 'UNKNOWN';
}

function rxFlagNames(flags: number): string[] {
  return [
    ...((flags & L.OL_RX_VLAN) !== 0 ? ['RX_VLAN'] : []),
    ...((flags & L.OL_RX_RSS_HASH) !== 0 ? ['RX_RSS_HASH'] : []),
    `RX_L4_CKSUM_${verdict(flags, L.OL_RX_L4_CKSUM_GOOD, L.OL_RX_L4_CKSUM_BAD)}`,
    `RX_IP_CKSUM_${verdict(flags, L.OL_RX_IP_CKSUM_GOOD, L.OL_RX_IP_CKSUM_BAD)}`,
    ...((flags & L.OL_RX_VLAN_STRIPPED) !== 0 ? ['RX_VLAN_STRIPPED'] : []),
    ...((flags & L.OL_RX_LRO) !== 0 ? ['RX_LRO'] : []),
    'RX_OUTER_L4_CKSUM_UNKNOWN',
  ];
}

function txFlagNames(flags: number): string[] {
  const l4 =
    (flags & L.OL_TX_TCP_CKSUM) !== 0
      ? 'TX_TCP_CKSUM'
      : (flags & L.OL_TX_UDP_CKSUM) !== 0
        ? 'TX_UDP_CKSUM'
        : 'TX_L4_NO_CKSUM';
  return [
    ...((flags & L.OL_TX_VLAN) !== 0 ? ['TX_VLAN'] : []),
    ...((flags & L.OL_TX_IP_CKSUM) !== 0 ? ['TX_IP_CKSUM'] : []),
    l4,
    ...((flags & L.OL_TX_TCP_SEG) !== 0 ? ['TX_TCP_SEG'] : []),
    ...((flags & L.OL_TX_IPV4) !== 0 ? ['TX_IPV4'] : []),
    ...((flags & L.OL_TX_IPV6) !== 0 ? ['TX_IPV6'] : []),
    ...((flags & L.OL_TX_UDP_SEG) !== 0 ? ['TX_UDP_SEG'] : []),
  ];
}
