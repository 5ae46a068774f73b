/**
 * Finds the headers of a packet: Ethernet with up to two VLAN tags, ARP, IPv4, IPv6 with extension headers, TCP, UDP, SCTP, ICMP. Fills one
 * reused object, so that per-packet parsing allocates nothing. Used by csum, 5tswap, icmpecho and the dump.
 */
import { u16be } from './bytes.js';

export const ETHER = {
  IPV4: 0x0800,
  ARP: 0x0806,
  VLAN: 0x8100,
  IPV6: 0x86dd,
  QINQ: 0x88a8,
  OLD_QINQ: 0x9100,
} as const;
export const PROTO = { ICMP: 1, TCP: 6, UDP: 17, FRAGMENT: 44, ICMPV6: 58, SCTP: 132 } as const;
/** Bytes that parsing can look at in the common case: Ethernet, two tags, IPv6, TCP. */
export const PARSE_BYTES = 14 + 8 + 40 + 20;

/** Offsets count from the first byte of the frame. */
export class Headers {
  /** Type behind all VLAN tags; 0 when the frame is too short. */
  etherType = 0;
  /** Number of VLAN tags, 0 to 2. */
  tags = 0;
  l2Len = 0;
  /** 4 or 6; 0 = no complete IP header. */
  ipVersion = 0;
  l3Len = 0;
  /** Bytes of the IP packet as its header says, header included. */
  ipLength = 0;
  /** Layer 4 protocol; -1 = none. */
  proto = -1;
  /** IPv4 or IPv6 fragment; `l4` is then the data of a later fragment unless it is the first. */
  fragment = false;
  /** The layer 4 header starts here: true for whole packets and for first fragments. */
  firstFragment = true;
  /** Offset of the layer 4 header; -1 = none. */
  l4 = -1;
  /** 0 when the layer 4 header is unknown or incomplete. */
  l4Len = 0;
  /** IPv4 header longer than 20 bytes, or IPv6 with extension headers. */
  extended = false;

  /** Parses `length` bytes at `base`. Everything it reports lies within them. */
  parse(u8: Uint8Array, base: number, length: number): void {
    this.clear();
    if (length < 14) return;
    let type = u16be(u8, base + 12);
    let at = 14;
    while (isTag(type) && this.tags < 2 && at + 4 <= length) {
      type = u16be(u8, base + at + 2);
      at += 4;
      this.tags++;
    }
    this.etherType = type;
    this.l2Len = at;
    if (type === ETHER.IPV4) this.parseIpv4(u8, base, length);
    else if (type === ETHER.IPV6) this.parseIpv6(u8, base, length);
    if (this.l4 >= 0 && this.firstFragment) this.l4Len = l4Length(this.proto, u8, base, this.l4, length);
  }

  private clear(): void {
    this.etherType = 0;
    this.tags = 0;
    this.l2Len = 0;
    this.ipVersion = 0;
    this.l3Len = 0;
    this.ipLength = 0;
    this.proto = -1;
    this.fragment = false;
    this.firstFragment = true;
    this.l4 = -1;
    this.l4Len = 0;
    this.extended = false;
  }

  private parseIpv4(u8: Uint8Array, base: number, length: number): void {
    const ip = base + this.l2Len;
    if (this.l2Len + 20 > length) return;
    const first = u8[ip] as number;
    const headerLength = (first & 0xf) * 4;
    const total = u16be(u8, ip + 2);
    if (first >>> 4 !== 4 || headerLength < 20 || this.l2Len + headerLength > length || total < headerLength)
      return;
    const fragmentWord = u16be(u8, ip + 6);
    this.ipVersion = 4;
    this.l3Len = headerLength;
    this.extended = headerLength > 20;
    this.ipLength = total;
    this.proto = u8[ip + 9] as number;
    // More fragments follow, or an offset: part of a larger packet.
    this.fragment = (fragmentWord & 0x3fff) !== 0;
    this.firstFragment = (fragmentWord & 0x1fff) === 0;
    this.l4 = this.l2Len + headerLength;
  }

  private parseIpv6(u8: Uint8Array, base: number, length: number): void {
    const ip = base + this.l2Len;
    if (this.l2Len + 40 > length || (u8[ip] as number) >>> 4 !== 6) return;
    this.ipVersion = 6;
    this.l3Len = 40;
    this.ipLength = 40 + u16be(u8, ip + 4);
    let proto = u8[ip + 6] as number;
    let at = this.l2Len + 40;
    // Hop-by-hop, routing, fragment and destination options chain on; everything else ends the chain.
    while ((proto === 0 || proto === 43 || proto === 60 || proto === PROTO.FRAGMENT) && at + 8 <= length) {
      if (proto === PROTO.FRAGMENT) {
        const word = u16be(u8, base + at + 2);
        this.fragment = (word & 0xfff9) !== 0;
        this.firstFragment = (word & 0xfff8) === 0;
      }
      const bytes = proto === PROTO.FRAGMENT ? 8 : ((u8[base + at + 1] as number) + 1) * 8;
      if (at + bytes > length) return;
      proto = u8[base + at] as number;
      at += bytes;
      this.extended = true;
    }
    this.l3Len = at - this.l2Len;
    this.proto = proto;
    this.l4 = at;
  }
}

function isTag(type: number): boolean {
  return type === ETHER.VLAN || type === ETHER.QINQ || type === ETHER.OLD_QINQ;
}

function l4Length(proto: number, u8: Uint8Array, base: number, l4: number, length: number): number {
  const rest = length - l4;
  switch (proto) {
    case PROTO.UDP:
    case PROTO.ICMP:
    case PROTO.ICMPV6:
      return rest >= 8 ? 8 : 0;
    case PROTO.SCTP:
      return rest >= 12 ? 12 : 0;
    case PROTO.TCP: {
      if (rest < 20) return 0;
      const bytes = ((u8[base + l4 + 12] as number) >>> 4) * 4;
      return bytes >= 20 && bytes <= rest ? bytes : 0;
    }
    default:
      return 0;
  }
}
