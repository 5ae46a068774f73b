/** mac: destination := the configured peer of the transmit port, source := that port's own address. */
import { HeaderEdit, parseMac } from '@pollwire/ethdev';
import type { Engine, OpenEngine } from './engine.js';
import { EtherRewriter, macWords } from './ether.js';
import { fused } from './fused.js';
import { vlanTagger } from './tx-vlan.js';

export const mac: Engine = {
  name: 'mac',
  open(stream, ctx) {
    const peer = parseMac(stream.data.peer);
    const addresses = macWords(peer, stream.ownMac);
    const ether = new EtherRewriter(ctx.arena, ctx.mbufs);
    const handles = stream.burst.handles;
    const tag = vlanTagger(stream, ctx);
    const plain: OpenEngine = {
      forward() {
        const n = stream.receive();
        if (n === 0) return 0;
        for (let i = 0; i < n; i++) ether.set(handles[i] as number, addresses);
        tag?.(n);
        stream.send(n);
        return n;
      },
    };
    if (tag !== undefined || stream.fused === undefined) return plain;
    const edit = HeaderEdit.setAddresses(peer, stream.ownMac);
    return { ...fused(stream, plain, edit), close: () => edit.release() };
  },
};
