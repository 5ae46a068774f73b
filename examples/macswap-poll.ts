// The poll function of forward.ts: runs inside an lcore and allocates nothing while it runs.
import { definePoll } from '@pollwire/ethdev/poll';

export interface Ends {
  a: number;
  b: number;
}

const FORWARDED = 0;
const DROPPED = 1;

export default definePoll<Ends, { forwarded: number; dropped: number }>((ctx) => {
  const { mbufs } = ctx;
  const burst = ctx.burst(32);
  const counters = ctx.counters(2);
  const a = ctx.port(ctx.data.a);
  const b = ctx.port(ctx.data.b);
  const ways = [
    { from: a.rxQueue(0), to: b.txQueue(0) },
    { from: b.rxQueue(0), to: a.txQueue(0) },
  ];

  return {
    poll() {
      let work = 0;
      for (let way = 0; way < ways.length; way++) {
        const { from, to } = ways[way]!;
        const received = from.burst(burst);
        if (received === 0) continue;
        for (let i = 0; i < received; i++) mbufs.swapMacs(burst.at(i));
        const sent = to.burst(burst);
        burst.free(sent); // what the other port had no room for
        counters[FORWARDED]! += sent;
        counters[DROPPED]! += received - sent;
        work += received;
      }
      return work;
    },
    stop: () => ({ forwarded: counters[FORWARDED]!, dropped: counters[DROPPED]! }),
  };
});
