/**
 * txonly: sends one UDP packet over and over: port 9 to 9, 198.18.0.1 to 198.18.0.2, TTL 64, no UDP checksum, length and segments of
 * `--txpkts`. With --txonly-multi-flow packet n of a stream has the UDP source port 0xC000 + (n mod flows). Never receives.
 */
import { parseMac } from '@pollwire/ethdev';
import { parseIpv4 } from '../values.js';
import { setU16be } from './bytes.js';
import type { Engine } from './engine.js';
import { FIELD, PacketMaker } from './maker.js';
import { vlanTagger } from './tx-vlan.js';

const FIRST_FLOW_PORT = 0xc000;

export const txonly: Engine = {
  name: 'txonly',
  open(stream, ctx) {
    const { traffic } = ctx.settings;
    const maker = new PacketMaker(ctx, {
      destinationMac: parseMac(stream.data.peer),
      sourceMac: stream.ownMac,
      ipSource: parseIpv4('ipSource', traffic.ipSource),
      ipDestination: parseIpv4('ipDestination', traffic.ipDestination),
      udpSource: traffic.udpSource,
      udpDestination: traffic.udpDestination,
    });
    const { burst, size } = stream;
    const { handles } = burst;
    const { multiFlow, txonlyFlows } = traffic;
    const tag = vlanTagger(stream, ctx);
    let flow = 0;
    const make = (): void => {
      const n = maker.allocate(burst, size);
      if (!multiFlow) maker.writeAll(handles, n);
      else {
        for (let i = 0; i < n; i++) {
          setU16be(maker.header, FIELD.UDP, FIRST_FLOW_PORT + flow);
          flow = flow + 1 === txonlyFlows ? 0 : flow + 1;
          maker.write(handles[i] as number);
        }
      }
      tag?.(n);
    };
    return {
      forward() {
        if (burst.first === burst.length) make();
        return stream.offer();
      },
      close() {
        burst.reclaim();
      },
    };
  },
};
