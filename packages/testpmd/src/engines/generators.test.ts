import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EngineRig } from '../fixtures/engine-rig.js';
import { be16, internetChecksum, withChecksum } from '../fixtures/packets.js';
import { defaultTraffic } from '../settings.js';

let rig: EngineRig;
beforeAll(async () => {
  rig = await EngineRig.open();
});
afterAll(() => rig.close());
afterEach(() => {
  rig.collect(0);
  rig.collect(1);
  expect(rig.pool.inUse, 'mbufs that nobody freed').toBe(0);
});

const traffic = (more: Partial<ReturnType<typeof defaultTraffic>>) => ({ ...defaultTraffic(), ...more });

/** The first 42 bytes of what txonly sends. */
function txonlyHeader(length: number, source = 9): number[] {
  const ip = withChecksum(
    [0x45, 0, ...be16(length - 14), 0, 0, 0, 0, 64, 17, 0, 0, 198, 18, 0, 1, 198, 18, 0, 2],
    10,
  );
  return [
    2,
    0,
    0,
    0,
    0,
    1,
    ...rig.mac(1),
    8,
    0,
    ...ip,
    ...be16(source),
    ...be16(9),
    ...be16(length - 34),
    0,
    0,
  ];
}

describe('txonly', () => {
  it('sends full bursts of its template and receives nothing', async () => {
    const run = await rig.run('txonly', { settings: { burst: 8 } });
    rig.inject([rig.packet(new Uint8Array(60))]);
    expect(run.poll()).toBe(8);
    const out = rig.collect();
    expect(out).toHaveLength(8);
    for (const frame of out) {
      expect(frame).toHaveLength(64);
      expect([...frame.subarray(0, 42)]).toEqual(txonlyHeader(64));
    }
    expect([run.counter('RX'), run.counter('TX')]).toEqual([0, 8]);
    run.stop();
  });

  it.each([[[42]], [[64, 64]], [[1500]], [[10, 30, 60]], [[1, 1, 1, 100]]])(
    'cuts packets as asked: %j',
    async (segments) => {
      const run = await rig.run('txonly', { settings: { burst: 2, traffic: traffic({ segments }) } });
      run.poll();
      const handles = rig.take();
      const { mbufs } = rig.eal;
      const length = segments.reduce((sum, bytes) => sum + bytes, 0);
      expect(handles).toHaveLength(2);
      for (const h of handles) {
        const cuts: number[] = [];
        for (let s = h; s !== 0; s = mbufs.next(s)) cuts.push(mbufs.dataLen(s));
        expect(cuts).toEqual(segments);
        expect([...mbufs.toBytes(h).subarray(0, 42)]).toEqual(txonlyHeader(length));
        mbufs.free(h);
      }
      run.stop();
    },
  );

  it('varies the UDP source port with multi-flow, and starts again after the last flow', async () => {
    const run = await rig.run('txonly', {
      settings: { burst: 5, traffic: traffic({ multiFlow: true, txonlyFlows: 3 }) },
    });
    run.poll();
    const sources = rig.collect().map((frame) => (frame[34] as number) * 256 + (frame[35] as number));
    expect(sources).toEqual([0xc000, 0xc001, 0xc002, 0xc000, 0xc001]);
    run.stop();
  });

  it('sends nothing while the pool is empty, and leaks nothing when it runs empty within a packet', async () => {
    const run = await rig.run('txonly', {
      settings: { burst: 4, traffic: traffic({ segments: [60, 60, 60] }) },
    });
    const held: number[] = [];
    for (let h = rig.pool.alloc(); h !== 0; h = rig.pool.alloc()) held.push(h);
    expect(run.poll()).toBe(0);
    // Four heads and one packet's further segments: the second packet finds no mbuf.
    for (const h of held.splice(0, 6)) rig.eal.mbufs.free(h);
    expect(run.poll()).toBe(1);
    expect(rig.collect()).toHaveLength(1);
    for (const h of held) rig.eal.mbufs.free(h);
    run.stop();
  });
});

describe('flowgen', () => {
  const destination = (frame: Uint8Array) => [...frame.subarray(30, 34)];

  it('throws away what it receives and sends flows with right checksums', async () => {
    const run = await rig.run('flowgen', { settings: { burst: 4, traffic: traffic({ flowgenFlows: 3 }) } });
    rig.inject([rig.packet(new Uint8Array(60))]);
    expect(run.poll()).toBe(5);
    const out = rig.collect();
    expect(out.map(destination)).toEqual([0, 1, 2, 0].map((flow) => [10, 253, 0, flow]));
    for (const frame of out) {
      expect([...frame.subarray(0, 14)]).toEqual([0, 1, 2, 3, 4, 1, 0, 1, 2, 3, 4, 0, 8, 0]);
      expect([...frame.subarray(26, 30)]).toEqual([10, 254, 0, 0]);
      expect([...frame.subarray(34, 38)]).toEqual([...be16(1000), ...be16(1001)]);
      expect(internetChecksum([...frame.subarray(14, 34)])).toBe(0);
    }
    expect([run.counter('RX'), run.counter('TX')]).toEqual([1, 4]);
    run.stop();
  });

  it('sends clones of each packet from one mbuf', async () => {
    const run = await rig.run('flowgen', { settings: { burst: 9, traffic: traffic({ flowgenClones: 2 }) } });
    run.poll();
    const handles = rig.take();
    expect(handles).toHaveLength(9);
    expect(new Set(handles).size).toBe(3);
    expect(rig.pool.inUse).toBe(3);
    for (const h of handles) rig.eal.mbufs.free(h);
    run.stop();
  });

  it('sends the flows again that found no room', async () => {
    const run = await rig.run('flowgen', { settings: { burst: 4 } });
    rig.fillTx();
    run.poll();
    expect([run.counter('TX'), run.counter('DROPPED')]).toEqual([0, 4]);
    rig.collect(1);
    run.poll();
    expect(rig.collect().map(destination)).toEqual([0, 1, 2, 3].map((flow) => [10, 253, 0, flow]));
    run.stop();
  });
});
