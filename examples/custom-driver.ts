// A driver in TypeScript: what is sent on a queue comes back on it, except every n-th packet. Its data path is
// custom-driver-queue.ts.   testpmd -d examples/dist/custom-driver.js --vdev net_lossy0,drop=10 …
import { defineDriver, int } from '@pollwire/ethdev';

const queue = new URL('./custom-driver-queue.js', import.meta.url);

export default defineDriver({
  name: 'net_lossy',
  summary: 'a loop that loses every n-th packet',
  args: {
    drop: int({ default: 0, min: 0, max: 1_000_000, doc: 'lose one packet in so many; 0 loses none' }),
  },
  limits: { rxQueues: 8, txQueues: 8, descriptors: { min: 16, max: 4096 }, maxRxPktLen: 65_535 },
  capabilities: { alwaysPromiscuous: true, multiSegTx: true, multiSegRx: true, loopback: true },

  probe({ args, name, eal, link }) {
    const rings = new Set<string>();
    const end = (id: number) => {
      const ring = `${name}.${id}`;
      if (!rings.has(ring)) eal.createRing({ name: ring, size: 1024 });
      rings.add(ring);
      return { kind: 'script', module: queue, data: { ring, drop: args.drop } } as const;
    };
    return {
      link: { speed: 10_000, duplex: 'full' },
      rxQueue: end,
      txQueue: end,
      start: () => link({ up: true }),
      stop: () => link({ up: false }),
      close() {
        for (const ring of rings) eal.destroyRing(ring);
      },
    };
  },
});
