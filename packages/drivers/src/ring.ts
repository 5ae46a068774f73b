/**
 * net_ring: what is sent on a queue is received on the same queue of this port, or of another one.
 *
 *   net_ring0                                   looped: tx queue n → rx queue n
 *   net_ring0,peer=net_ring1  net_ring1,peer=net_ring0   a cable between two ports
 *   net_ring0,nodeaction=R:0:CREATE  net_ring1,nodeaction=R:0:ATTACH   both ports on the same rings, as in DPDK
 */
import { defineDriver, int, str } from '@pollwire/ethdev';
import { native, PollwireError } from '@pollwire/native';
import { RingSet } from './ring-set.js';

export default defineDriver({
  name: 'net_ring',
  aliases: ['eth_ring'],
  summary: 'joins ports of this process through rings in memory',
  args: {
    peer: str({ doc: 'device name of the port at the other end; it must name this one as its peer' }),
    nodeaction: str({
      doc: 'NAME:NODE:CREATE or NAME:NODE:ATTACH: share the rings called NAME; the node is ignored',
    }),
    size: int({ default: 1024, min: 1, max: 1 << 20, doc: 'packets that each ring holds' }),
  },
  limits: {
    rxQueues: 16,
    txQueues: 16,
    descriptors: { min: 0, max: 65_535, default: 512 },
    maxRxPktLen: 0xffff_ffff,
  },
  capabilities: {
    alwaysPromiscuous: true,
    multiSegTx: true,
    multiSegRx: true,
    loopback: true,
    speeds: [10_000],
  },
  probe({ args, name, portId, eal, slot, link }) {
    const names = ringNames(name, args.peer, args.nodeaction);
    const rings = new RingSet(eal, args.size);
    if (args.nodeaction !== undefined) rings.claim(names.tx(0), args.nodeaction);
    const end = (ring: string, bind: (slot: number, ring: number) => void) => {
      const own = { kind: 'native', slot: slot(), freed: () => rings.release(ring) } as const;
      bind(own.slot, rings.acquire(ring).index);
      return own;
    };
    return {
      mac: new Uint8Array(6),
      link: { up: false, speed: 10_000, duplex: 'full', autoneg: false },
      rxQueue: (id) => end(names.rx(id), (s, ring) => native.bindRingRx(s, ring, portId)),
      txQueue: (id) => end(names.tx(id), (s, ring) => native.bindRingTx(s, ring)),
      start: () => link({ up: true }),
      stop: () => link({ up: false }),
      setLink: (up) => link({ up }),
      close: () => rings.disclaim(),
    };
  },
});

/** Names of the rings that a port sends to and receives from. */
function ringNames(name: string, peer = name, nodeaction?: string) {
  if (nodeaction === undefined) {
    return { tx: (id: number) => `${name}>${peer}:${id}`, rx: (id: number) => `${peer}>${name}:${id}` };
  }
  const match = /^([^:]{1,40}):\d+:(CREATE|ATTACH)$/.exec(nodeaction);
  if (match === null || peer !== name) {
    const why =
      match === null ? 'expected NAME:NODE:CREATE or NAME:NODE:ATTACH' : 'it cannot be combined with peer';
    throw new PollwireError('DEVARG_VALUE', `${name}: nodeaction=${nodeaction}: ${why}.`);
  }
  const ring = (id: number) => `ETH_RXTX${id}_${match[1]}`;
  return { tx: ring, rx: ring };
}
