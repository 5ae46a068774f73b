/** The other side of a port under test, when that is a port of the same process: frames in and out of it as byte arrays. */
import type { Eal, Mempool, Port } from '@pollwire/ethdev';
import { native } from '@pollwire/native';
import type { DriverPeer } from '@pollwire/testkit';

const POOL = 'peer';

/** The pool of all such peers, so that the pool under test can be balanced to the last mbuf. */
function peerPool(eal: Eal): Mempool {
  return eal.createPool({ name: POOL, size: 4096, cache: 0 });
}

/** Attaches `devargs` with `pairs` queue pairs and starts it. */
export async function attachPeer(
  eal: Eal,
  devargs: string,
  pairs: number,
): Promise<DriverPeer & { readonly port: Port }> {
  const pool = peerPool(eal);
  const port = await eal.attach(devargs);
  // A peer sees whatever comes, as a wire does.
  if (!port.promiscuous) port.setPromiscuous(true);
  port.configure({ rxQueues: pairs, txQueues: pairs });
  for (let queue = 0; queue < pairs; queue++) {
    port.setupRxQueue(queue, { pool });
    port.setupTxQueue(queue);
  }
  await port.start();
  const burst = eal.burst(64);
  return {
    port,
    send(frames, queue) {
      let sent = 0;
      for (const frame of frames) {
        const handle = pool.alloc();
        native.mbufAppend(handle, frame);
        burst.clear();
        burst.push(handle);
        const took = port.txQueue(queue).burst(burst);
        burst.free(took);
        sent += took;
        if (took === 0) break;
      }
      return sent;
    },
    receive(queue) {
      const frames: Uint8Array[] = [];
      const got = port.rxQueue(queue).burst(burst);
      for (let i = 0; i < got; i++) {
        const handle = burst.handles[i] as number;
        const frame = new Uint8Array(eal.mbufs.pktLen(handle));
        native.mbufRead(handle, 0, frame);
        frames.push(frame);
      }
      burst.free();
      return frames;
    },
    async close() {
      await port.stop();
      await eal.detach(port);
      eal.destroyPool(POOL);
    },
  };
}
