/**
 * 5tswap: MAC addresses, IP addresses and TCP or UDP ports change places. Checksums stay right, because they are sums of the same words.
 * What is not IP is only MAC-swapped; ports of later fragments are data and stay.
 */
import { swapBytes } from './bytes.js';
import type { Engine, EngineContext } from './engine.js';
import { EtherRewriter } from './ether.js';
import { Headers, PARSE_BYTES, PROTO } from './headers.js';
import { HeaderWindow } from './window.js';

export const fiveTupleSwap: Engine = {
  name: '5tswap',
  open(stream, ctx) {
    const swapper = new TupleSwapper(ctx);
    const handles = stream.burst.handles;
    return {
      forward() {
        const n = stream.receive();
        if (n === 0) return 0;
        for (let i = 0; i < n; i++) swapper.swap(handles[i] as number);
        stream.send(n);
        return n;
      },
    };
  },
};

export class TupleSwapper {
  private readonly window: HeaderWindow;
  private readonly headers = new Headers();
  private readonly ether: EtherRewriter;

  constructor(ctx: Pick<EngineContext, 'arena' | 'mbufs'>) {
    this.window = new HeaderWindow(ctx.arena, ctx.mbufs);
    this.ether = new EtherRewriter(ctx.arena, ctx.mbufs);
  }

  swap(h: number): void {
    const { window, headers } = this;
    this.ether.swap(h);
    window.open(h, PARSE_BYTES);
    const { u8, base } = window;
    headers.parse(u8, base, window.length);
    const ip = base + headers.l2Len;
    if (headers.ipVersion === 4) swapBytes(u8, ip + 12, ip + 16, 4);
    else if (headers.ipVersion === 6) swapBytes(u8, ip + 8, ip + 24, 16);
    const hasPorts = headers.proto === PROTO.TCP || headers.proto === PROTO.UDP;
    if (hasPorts && headers.l4Len > 0) swapBytes(u8, base + headers.l4, base + headers.l4 + 2, 2);
    window.commit();
  }
}
