/**
 * icmpecho: answers ARP requests and ICMP echo requests on the port they came from and drops everything else. The request's own mbufs
 * become the reply, so that packets of many segments are answered without copying their data. Pings larger than the MTU work too: later
 * fragments of ICMP packets go back with their addresses exchanged.
 */
import { fold, setU16be, setU32be, sumBytes, swapBytes, u16be, u32be, updateChecksum } from './bytes.js';
import type { Engine, EngineContext } from './engine.js';
import { ETHER, Headers, PROTO } from './headers.js';
import { HeaderWindow } from './window.js';

const ARP_BYTES = 28;
const ECHO_REQUEST = 8;
/** Ethernet, two tags, IPv4 with options, ICMP. */
const WANTED = 14 + 8 + 60 + 8;

export const icmpecho: Engine = {
  name: 'icmpecho',
  open(stream, ctx) {
    const responder = new Responder(ctx, stream.ownMac);
    const { burst } = stream;
    const handles = burst.handles;
    return {
      forward() {
        const n = stream.receive();
        if (n === 0) return 0;
        // Replies move to the front in order; every handle stays in the burst, so that nothing is lost if this throws.
        let replies = 0;
        for (let i = 0; i < n; i++) {
          const h = handles[i] as number;
          if (!responder.answer(h)) continue;
          handles[i] = handles[replies] as number;
          handles[replies++] = h;
        }
        if (replies < n) burst.free(replies);
        if (replies > 0) stream.send(replies);
        return n;
      },
    };
  },
};

export class Responder {
  private readonly window: HeaderWindow;
  private readonly headers = new Headers();

  constructor(
    ctx: Pick<EngineContext, 'arena' | 'mbufs'>,
    private readonly ownMac: Uint8Array,
  ) {
    this.window = new HeaderWindow(ctx.arena, ctx.mbufs);
  }

  /** Turns packet `h` into its reply; false when it deserves none and is unchanged. */
  answer(h: number): boolean {
    const { window, headers } = this;
    window.open(h, WANTED);
    headers.parse(window.u8, window.base, window.length);
    const answered = headers.etherType === ETHER.ARP ? this.answerArp() : this.answerEcho();
    if (answered) window.commit();
    return answered;
  }

  /** RFC 826: an Ethernet/IPv4 request, for any address. */
  private answerArp(): boolean {
    const { u8, base, length } = this.window;
    const arp = base + this.headers.l2Len;
    if (this.headers.l2Len + ARP_BYTES > length) return false;
    if (u32be(u8, arp) !== 0x0001_0800 || u16be(u8, arp + 4) !== 0x0604 || u16be(u8, arp + 6) !== 1)
      return false;
    setU16be(u8, arp + 6, 2);
    // Sender (MAC at 8, IP at 14) and target (MAC at 18, IP at 24) change places; the sender's MAC is then ours.
    swapBytes(u8, arp + 8, arp + 18, 10);
    this.putOwnMac(arp + 8);
    swapBytes(u8, base, base + 6, 6);
    this.putOwnMac(base + 6);
    return true;
  }

  private answerEcho(): boolean {
    const { headers } = this;
    const { u8, base } = this.window;
    if (headers.ipVersion !== 4 || headers.proto !== PROTO.ICMP) return false;
    if (headers.firstFragment) {
      const icmp = base + headers.l4;
      if (headers.l4Len === 0 || u16be(u8, icmp) !== ECHO_REQUEST << 8) return false;
      setU16be(u8, icmp, 0);
      setU16be(u8, icmp + 2, updateChecksum(u16be(u8, icmp + 2), ECHO_REQUEST << 8, 0));
    }
    this.turnAround();
    return true;
  }

  /** Back to the sender. A multicast address cannot be a source: the reply then comes from a neighbour of the sender. */
  private turnAround(): void {
    const { u8, base } = this.window;
    const ip = base + this.headers.l2Len;
    const source = u32be(u8, ip + 12);
    swapBytes(u8, base, base + 6, 6);
    // A group or broadcast MAC cannot be a source either.
    if (((u8[base + 6] as number) & 1) !== 0) this.putOwnMac(base + 6);
    if ((u8[ip + 16] as number) >>> 4 !== 0xe) {
      swapBytes(u8, ip + 12, ip + 16, 4);
      return;
    }
    const neighbour = ((source & ~3) | ((source & 3) === 1 ? 2 : 1)) >>> 0;
    setU32be(u8, ip + 12, neighbour);
    setU32be(u8, ip + 16, source);
    setU16be(u8, ip + 10, 0);
    setU16be(u8, ip + 10, ~fold(sumBytes(u8, ip, this.headers.l3Len)) & 0xffff);
  }

  private putOwnMac(at: number): void {
    const { u8 } = this.window;
    for (let i = 0; i < 6; i++) u8[at + i] = this.ownMac[i] as number;
  }
}
