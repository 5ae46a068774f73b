import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Cut, EngineRun } from '../fixtures/engine-rig.js';
import { EngineRig } from '../fixtures/engine-rig.js';
import {
  arp,
  echoMessage,
  echoRequest,
  ethernet,
  IP_A,
  IP_B,
  internetChecksum,
  ipv4,
  MAC_A,
  MAC_B,
  pattern,
  udp4,
} from '../fixtures/packets.js';

let rig: EngineRig;
let run: EngineRun;
beforeAll(async () => {
  rig = await EngineRig.open();
  run = await rig.run('icmpecho', { stream: { txPort: 0 } });
});
afterAll(async () => {
  run.stop();
  await rig.close();
});
afterEach(() => expect(rig.pool.inUse, 'mbufs that nobody freed').toBe(0));

/** Injects packets, polls once, returns what came out of the same port. */
function ask(...packets: number[]): Uint8Array[] {
  rig.inject(packets);
  expect(run.poll()).toBe(packets.length);
  return rig.collect(0);
}

const own = (): number[] => [...rig.mac(0)];

describe('ARP', () => {
  it.each([
    ['plain', {}],
    ['in a VLAN', { vlans: [5] }],
  ])('answers a request: %s', (_name, o) => {
    const [reply] = ask(rig.packet(arp(o)));
    const body = [0, 1, 8, 0, 6, 4, 0, 2, ...own(), ...IP_B, ...MAC_A, ...IP_A];
    expect(reply).toEqual(ethernet(0x0806, body, { destination: MAC_A, source: own(), ...o }));
  });

  it.each([
    ['a reply', arp({ operation: 2 })],
    ['a request cut short', arp().subarray(0, 30)],
    ['another address family', Uint8Array.from(arp()).fill(9, 16, 18)],
  ])('drops %s', (_name, frame) => {
    expect(ask(rig.packet(frame))).toEqual([]);
  });
});

const SHAPES: [string, Cut][] = [
  ['one segment', {}],
  ['an odd address', { headroom: 131 }],
  ['many segments', { segments: [3, 17, 9, 20] }],
  ['a large first segment', { segments: [100] }],
];

describe('ICMP echo', () => {
  const payload = pattern(1400, 4);

  it.each(SHAPES)('answers with right checksums and the same data: %s', (_name, cut) => {
    const [reply] = ask(rig.packet(echoRequest(payload), cut));
    const expected = ipv4(1, echoMessage(0, payload), {
      from: IP_B,
      to: IP_A,
      destination: MAC_A,
      source: MAC_B,
    });
    expect(reply).toEqual(expected);
    expect(internetChecksum([...(reply as Uint8Array).subarray(14, 34)])).toBe(0);
    expect(internetChecksum([...(reply as Uint8Array).subarray(34)])).toBe(0);
  });

  it('answers 8 KiB in one chain, and with IP options', () => {
    const large = pattern(8192);
    const [reply] = ask(rig.packet(echoRequest(large, { options: [1, 1, 1, 1] })));
    const expected = ipv4(1, echoMessage(0, large), {
      from: IP_B,
      to: IP_A,
      destination: MAC_A,
      source: MAC_B,
      options: [1, 1, 1, 1],
    });
    expect(reply).toEqual(expected);
  });

  it('turns every fragment around, so that the asker can put the reply together', () => {
    const message = echoMessage(8, pattern(3000));
    const parts = [message.slice(0, 1480), message.slice(1480, 2960), message.slice(2960)];
    const fragments = parts.map((part, i) => ipv4(1, part, { fragment: { offset: i * 1480, more: i < 2 } }));
    const replies = ask(...fragments.map((fragment) => rig.packet(fragment)));
    const whole = replies.flatMap((reply) => [...reply.subarray(34)]);
    expect(whole).toEqual(echoMessage(0, pattern(3000)));
    expect(replies.map((reply) => [...reply.subarray(26, 34)])).toEqual(
      [1, 2, 3].map(() => [...IP_B, ...IP_A]),
    );
  });

  it('answers a multicast request from a neighbour of the asker, never from the group', () => {
    const [reply] = ask(
      rig.packet(echoRequest(pattern(20), { to: [224, 0, 0, 1], destination: [1, 0, 0x5e, 0, 0, 1] })),
    );
    const bytes = reply as Uint8Array;
    expect([...bytes.subarray(26, 34)]).toEqual([192, 168, 7, 2, ...IP_A]);
    expect([...bytes.subarray(0, 12)]).toEqual([...MAC_A, ...own()]);
    expect(internetChecksum([...bytes.subarray(14, 34)])).toBe(0);
  });

  it('drops replies, other protocols and runts, and keeps the order of the rest', () => {
    const replies = ask(
      rig.packet(echoRequest(pattern(8, 1))),
      rig.packet(ipv4(1, echoMessage(0, pattern(8)))),
      rig.packet(udp4(pattern(8))),
      rig.packet(echoRequest(pattern(8, 2))),
      rig.packet(Uint8Array.of(1, 2, 3)),
      rig.packet(echoRequest(pattern(8)).subarray(0, 36)),
      rig.packet(echoRequest(pattern(8, 3))),
    );
    expect(replies.map((reply) => reply[42])).toEqual([1, 2, 3]);
  });
});
