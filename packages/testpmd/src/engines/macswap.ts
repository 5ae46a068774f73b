/** macswap: source and destination Ethernet address change places. */
import type { Engine } from './engine.js';
import { EtherRewriter } from './ether.js';
import { vlanTagger } from './tx-vlan.js';

export const macswap: Engine = {
  name: 'macswap',
  open(stream, ctx) {
    const ether = new EtherRewriter(ctx.arena, ctx.mbufs);
    const handles = stream.burst.handles;
    const tag = vlanTagger(stream, ctx);
    return {
      forward() {
        const n = stream.receive();
        if (n === 0) return 0;
        for (let i = 0; i < n; i++) ether.swap(handles[i] as number);
        tag?.(n);
        stream.send(n);
        return n;
      },
    };
  },
};
