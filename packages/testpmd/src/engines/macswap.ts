/** macswap: source and destination Ethernet address change places. */
import { HeaderEdit } from '@pollwire/ethdev';
import type { Engine, OpenEngine } from './engine.js';
import { EtherRewriter } from './ether.js';
import { fused } from './fused.js';
import { vlanTagger } from './tx-vlan.js';

export const macswap: Engine = {
  name: 'macswap',
  open(stream, ctx) {
    const ether = new EtherRewriter(ctx.arena, ctx.mbufs);
    const handles = stream.burst.handles;
    const tag = vlanTagger(stream, ctx);
    const plain: OpenEngine = {
      forward() {
        const n = stream.receive();
        if (n === 0) return 0;
        ether.swapAll(handles, n);
        tag?.(n);
        stream.send(n);
        return n;
      },
    };
    return tag === undefined ? fused(stream, plain, HeaderEdit.swapAddresses()) : plain;
  },
};
