/**
 * flowgen: throws away what it receives and sends UDP packets of many flows: 10.254.0.0 → 10.253.0.0 + flow, port 1000 → 1001, MAC
 * 00:01:02:03:04:00 → 00:01:02:03:04:01. With --flowgen-clones=N each packet goes out N further times as another reference to the same mbuf.
 */
import { parseMac } from '@pollwire/ethdev';
import { L } from '@pollwire/native';
import { setU32be } from './bytes.js';
import type { Engine } from './engine.js';
import { FIELD, PacketMaker, setIpChecksum } from './maker.js';

const IP_SOURCE = 0x0afe_0000;
const IP_DESTINATION = 0x0afd_0000;

export const flowgen: Engine = {
  name: 'flowgen',
  open(stream, ctx) {
    const { flowgenFlows: flows, flowgenClones } = ctx.settings.traffic;
    const copies = Math.min(flowgenClones, stream.size - 1) + 1;
    const maker = new PacketMaker(ctx, {
      sourceMac: parseMac('00:01:02:03:04:00'),
      destinationMac: parseMac('00:01:02:03:04:01'),
      ipSource: IP_SOURCE,
      ipDestination: IP_DESTINATION,
      udpSource: 1000,
      udpDestination: 1001,
    });
    const fresh = ctx.burst(Math.max(1, Math.floor(stream.size / copies)));
    const out = ctx.burst(fresh.capacity * copies);
    const { u16 } = ctx.arena;
    let flow = 0;

    const writePacket = (h: number): void => {
      setU32be(maker.header, FIELD.IP_DESTINATION, IP_DESTINATION + flow);
      setIpChecksum(maker.header);
      maker.write(h);
      flow = flow + 1 === flows ? 0 : flow + 1;
    };

    /** Moves the fresh packets into `out`, each `copies` times; one reference per copy is taken before anybody else sees the mbuf. */
    const spread = (n: number): number => {
      let k = 0;
      for (let i = 0; i < n; i++) {
        const h = fresh.handles[i] as number;
        writePacket(h);
        if (copies > 1) u16[(h << 5) + (L.MBUF_REFCNT >> 1)] = copies;
        for (let copy = 0; copy < copies; copy++) out.handles[k++] = h;
      }
      fresh.clear();
      out.first = 0;
      out.length = k;
      return k;
    };

    return {
      forward() {
        const drained = stream.receive();
        if (drained !== 0) stream.burst.free(0);
        const made = spread(maker.allocate(fresh, fresh.capacity));
        if (made === 0) return drained;
        const sent = stream.sendFrom(out, made);
        // Flows that did not leave come again.
        if (sent < made) flow = (flow - Math.ceil((made - sent) / copies) + flows) % flows;
        return drained + made;
      },
    };
  },
};
