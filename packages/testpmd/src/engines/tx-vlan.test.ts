import { L, native } from '@pollwire/native';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EngineRig } from '../fixtures/engine-rig.js';
import { pattern, udp4 } from '../fixtures/packets.js';
import type { EngineName } from '../settings.js';

let rig: EngineRig;
beforeAll(async () => {
  rig = await EngineRig.open();
});
afterAll(() => rig.close());
afterEach(() => expect(rig.pool.inUse, 'mbufs that nobody freed').toBe(0));

/** Offload flags and tag of what an engine sends for one packet (txonly sends without one). */
async function sent(
  engine: EngineName,
  txVlan: Map<number, number>,
): Promise<[flags: number, tci: number][]> {
  const run = await rig.run(engine, { settings: { txVlan, burst: 4 } });
  const flags = L.OL_RX_L4_CKSUM_NONE;
  if (engine !== 'txonly') rig.inject([rig.packet(udp4(pattern(20)), { flags })]);
  run.poll();
  run.stop();
  const { mbufs } = rig.eal;
  return rig.take().map((h) => {
    const seen: [number, number] = [mbufs.olFlags(h), mbufs.vlanTci(h)];
    native.mbufFree(h);
    return seen;
  });
}

describe.each(['mac', 'macswap'] as const)('%s', (engine) => {
  it('asks for the tag of the transmit port and keeps what the packet says about itself', async () => {
    expect(await sent(engine, new Map([[1, 0x123]]))).toEqual([
      [L.OL_TX_VLAN | L.OL_RX_L4_CKSUM_NONE, 0x123],
    ]);
  });

  it('asks for nothing without one', async () => {
    const [first] = await sent(engine, new Map([[0, 0x123]]));
    expect(first?.[0]).toBe(L.OL_RX_L4_CKSUM_NONE);
  });
});

it('txonly asks for the tag in every packet', async () => {
  const tagged = Array.from({ length: 4 }, () => [L.OL_TX_VLAN, 7]);
  expect(await sent('txonly', new Map([[1, 7]]))).toEqual(tagged);
});
