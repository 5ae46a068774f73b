/**
 * csum: verifies and completes IPv4, TCP and UDP checksums, in software or by asking the transmit port, counts the wrong ones, and addresses
 * packets as mac does. Wrong checksums are put right and forwarded, as DPDK does.
 */
import { parseMac } from '@pollwire/ethdev';
import { L } from '@pollwire/native';
import { STREAM } from '../forward-data.js';
import type { ChecksumOffloads } from '../settings.js';
import { fold, setU16be, sumBytes, u16be } from './bytes.js';
import { PacketSum } from './checksum.js';
import type { Engine, EngineContext } from './engine.js';
import { EtherRewriter, macWords } from './ether.js';
import { Headers, PARSE_BYTES, PROTO } from './headers.js';
import type { Stream } from './stream.js';
import { HeaderWindow } from './window.js';

export const csum: Engine = {
  name: 'csum',
  open(stream, ctx) {
    const fixer = new ChecksumFixer(stream, ctx);
    const addresses = macWords(parseMac(stream.data.peer), stream.ownMac);
    const ether = new EtherRewriter(ctx.arena, ctx.mbufs);
    const handles = stream.burst.handles;
    return {
      forward() {
        const n = stream.receive();
        if (n === 0) return 0;
        for (let i = 0; i < n; i++) {
          const h = handles[i] as number;
          ether.set(h, addresses);
          fixer.fix(h);
        }
        stream.send(n);
        return n;
      },
    };
  },
};

const IN_SOFTWARE: ChecksumOffloads = { ip: false, udp: false, tcp: false };
const RX_FLAGS = 0xffff;

/** Offset of the checksum in the TCP or UDP header. */
const TCP_CHECKSUM = 16;
const UDP_CHECKSUM = 6;

export class ChecksumFixer {
  private readonly window: HeaderWindow;
  private readonly headers = new Headers();
  private readonly sums: PacketSum;
  private readonly offloads: ChecksumOffloads;
  /** Payload bytes per TCP segment; 0 = packets stay whole. */
  private readonly segment: number;
  private readonly mbufs: EngineContext['mbufs'];
  private readonly count: Stream;
  /** OL_TX_* wanted for the present packet. */
  private txFlags = 0;

  constructor(stream: Stream, ctx: EngineContext) {
    this.window = new HeaderWindow(ctx.arena, ctx.mbufs);
    this.sums = new PacketSum(ctx.arena, ctx.mbufs);
    this.offloads = ctx.settings.checksum.get(stream.data.txPort) ?? IN_SOFTWARE;
    this.segment = ctx.settings.tso.get(stream.data.txPort) ?? 0;
    this.mbufs = ctx.mbufs;
    this.count = stream;
  }

  fix(h: number): void {
    const { window, headers, mbufs } = this;
    window.open(h, PARSE_BYTES);
    headers.parse(window.u8, window.base, window.length);
    const rxFlags = mbufs.olFlags(h) & RX_FLAGS;
    this.txFlags = 0;
    if (headers.ipVersion === 4) this.fixIp(rxFlags);
    if (headers.l4Len > 0 && !headers.fragment) this.fixL4(h, rxFlags);
    window.commit();
    mbufs.setOlFlags(h, rxFlags | this.txFlags);
    if (this.txFlags !== 0) mbufs.setHeaderLengths(h, headers.l2Len, headers.l3Len, headers.l4Len);
  }

  private fixIp(rxFlags: number): void {
    const { u8, base } = this.window;
    const ip = base + this.headers.l2Len;
    const right = fold(sumBytes(u8, ip, this.headers.l3Len)) === 0xffff;
    if (!right || (rxFlags & L.OL_RX_IP_CKSUM_BAD) !== 0) this.count.add(STREAM.BAD_IP, 1);
    if (this.offloads.ip) {
      setU16be(u8, ip + 10, 0);
      this.txFlags |= L.OL_TX_IP_CKSUM | L.OL_TX_IPV4;
    } else if (!right) {
      setU16be(u8, ip + 10, 0);
      setU16be(u8, ip + 10, ~fold(sumBytes(u8, ip, this.headers.l3Len)) & 0xffff);
    }
  }

  private fixL4(h: number, rxFlags: number): void {
    const { headers, window } = this;
    const isTcp = headers.proto === PROTO.TCP;
    if (!isTcp && headers.proto !== PROTO.UDP) return;
    const l4Bytes = headers.ipLength - headers.l3Len;
    // A packet cut short has no checksum to speak of.
    if (l4Bytes < headers.l4Len || headers.l4 + l4Bytes > this.mbufs.pktLen(h)) return;
    const at = window.base + headers.l4 + (isTcp ? TCP_CHECKSUM : UDP_CHECKSUM);
    const given = u16be(window.u8, at);
    // In IPv4 a UDP checksum of 0 means that there is none.
    if (!isTcp && given === 0 && headers.ipVersion === 4) return;
    const pseudo = this.pseudoSum(l4Bytes);
    const sum = fold(pseudo + this.sums.sum(h, headers.l4, l4Bytes));
    const unfinished = (rxFlags & L.OL_RX_L4_CKSUM_NONE) === L.OL_RX_L4_CKSUM_NONE;
    const right = sum === 0xffff;
    if (!unfinished && (!right || (rxFlags & L.OL_RX_L4_CKSUM_BAD) !== 0)) this.count.add(STREAM.BAD_L4, 1);
    const cut = isTcp && this.segment > 0 && l4Bytes > headers.l4Len + this.segment;
    if (cut) {
      this.mbufs.setTsoSegsz(h, this.segment);
      this.txFlags |= L.OL_TX_TCP_SEG;
    }
    if (cut || (isTcp ? this.offloads.tcp : this.offloads.udp)) {
      // The port adds the data to what it finds here: the sum of the pseudo header.
      setU16be(window.u8, at, pseudo);
      this.txFlags |= isTcp ? L.OL_TX_TCP_CKSUM : L.OL_TX_UDP_CKSUM;
      this.txFlags |= headers.ipVersion === 4 ? L.OL_TX_IPV4 : L.OL_TX_IPV6;
    } else if (!right) {
      const value = ~fold(sum + (~given & 0xffff)) & 0xffff;
      setU16be(window.u8, at, value === 0 && !isTcp ? 0xffff : value);
    }
  }

  /** Sum of addresses, protocol and length, folded (RFC 793, RFC 8200 §8.1). */
  private pseudoSum(l4Bytes: number): number {
    const { headers } = this;
    const { u8, base } = this.window;
    const ip = base + headers.l2Len;
    const addresses = headers.ipVersion === 4 ? sumBytes(u8, ip + 12, 8) : sumBytes(u8, ip + 8, 32);
    return fold(addresses + headers.proto + l4Bytes);
  }
}
