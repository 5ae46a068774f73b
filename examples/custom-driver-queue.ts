// Both directions of a net_lossy queue. Opened in each lcore that polls one, with the data that the driver gave.
import { defineQueue } from '@pollwire/ethdev';

export default defineQueue<{ ring: string; drop: number }>(
  ({ ring: name, drop }, { mbufs, ring: ringBy }) => {
    const ring = ringBy(name);
    let seen = 0;
    return {
      rxBurst: (burst, n) => ring.dequeue(burst, n),
      // Takes the packets before the one that found the ring full; those that are lost count as taken.
      txBurst(burst, n, from) {
        for (let i = 0; i < n; i++) {
          if (drop > 0 && (seen + 1) % drop === 0) mbufs.free(burst.at(from + i));
          else if (ring.enqueue(burst, 1, from + i) === 0) return i;
          seen++;
        }
        return n;
      },
    };
  },
);
