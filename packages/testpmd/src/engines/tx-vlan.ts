/** Marks packets for the VLAN tag of `tx_vlan set`; the transmit port inserts it. Used by mac, macswap and txonly. */
import { L } from '@pollwire/native';
import type { EngineContext } from './engine.js';
import type { Stream } from './stream.js';

/** Marks the first `count` packets of the stream's burst; undefined when the transmit port has no tag. */
export function vlanTagger(stream: Stream, ctx: EngineContext): ((count: number) => void) | undefined {
  const vlan = ctx.settings.txVlan.get(stream.data.txPort);
  if (vlan === undefined) return undefined;
  const { mbufs } = ctx;
  const { handles } = stream.burst;
  return (count) => {
    for (let i = 0; i < count; i++) {
      const h = handles[i] as number;
      mbufs.setVlanTci(h, vlan);
      mbufs.setOlFlags(h, mbufs.olFlags(h) | L.OL_TX_VLAN);
    }
  };
}
