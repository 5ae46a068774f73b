import { describe, expect, it } from 'vitest';
import {
  arp,
  echoRequest,
  ethernet,
  ipv4,
  ipv6,
  pattern,
  tcp4,
  tcp6,
  udp4,
  udp6,
  udpSegment,
} from '../fixtures/packets.js';
import { Headers } from './headers.js';

function parse(frame: Uint8Array, length = frame.length): Headers {
  // Placed off the start of a larger array, so that a wrong base shows.
  const bytes = new Uint8Array(frame.length + 40).fill(0xee);
  bytes.set(frame, 33);
  const headers = new Headers();
  headers.parse(bytes, 33, length);
  return headers;
}

describe('Headers', () => {
  it.each([
    [
      'UDP',
      udp4(pattern(9)),
      { etherType: 0x0800, l2Len: 14, ipVersion: 4, l3Len: 20, proto: 17, l4: 34, l4Len: 8 },
    ],
    ['TCP', tcp4(pattern(9)), { proto: 6, l4: 34, l4Len: 20, ipLength: 49 }],
    ['ICMP', echoRequest(pattern(9)), { proto: 1, l4Len: 8 }],
    [
      'IPv6 UDP',
      udp6(pattern(9)),
      { etherType: 0x86dd, ipVersion: 6, l3Len: 40, proto: 17, l4: 54, l4Len: 8, ipLength: 57 },
    ],
    ['IPv6 TCP', tcp6(pattern(9)), { proto: 6, l4: 54, l4Len: 20 }],
    ['one tag', udp4(pattern(9), { vlans: [3] }), { tags: 1, l2Len: 18, l4: 38 }],
    ['two tags', udp4(pattern(9), { vlans: [3, 4] }), { tags: 2, l2Len: 22, l4: 42 }],
    [
      'IP options',
      udp4(pattern(9), { options: [1, 1, 1, 1, 1, 1, 1, 0] }),
      { l3Len: 28, extended: true, l4: 42 },
    ],
    ['ARP', arp(), { etherType: 0x0806, l2Len: 14, ipVersion: 0, l4: -1 }],
    ['an unknown type', ethernet(0x88b5, pattern(40)), { etherType: 0x88b5, ipVersion: 0, proto: -1 }],
    ['an unknown protocol', ipv4(89, pattern(30)), { proto: 89, l4: 34, l4Len: 0 }],
  ])('finds %s', (_name, frame, expected) => {
    expect(parse(frame)).toMatchObject(expected);
  });

  it('tells fragments apart', () => {
    const first = parse(ipv4(17, pattern(64), { fragment: { offset: 0, more: true } }));
    expect([first.fragment, first.firstFragment, first.l4Len]).toEqual([true, true, 8]);
    const later = parse(ipv4(17, pattern(64), { fragment: { offset: 64, more: false } }));
    expect([later.fragment, later.firstFragment, later.l4Len]).toEqual([true, false, 0]);
  });

  it('walks IPv6 extension headers', () => {
    const udp = udpSegment(pattern(4), []);
    const hop = [17, 0, 1, 4, 0, 0, 0, 0];
    expect(parse(ipv6(0, [...hop, ...udp]))).toMatchObject({
      l3Len: 48,
      proto: 17,
      l4Len: 8,
      extended: true,
    });
    const fragment = [17, 0, 0, 9, 0, 0, 0, 1];
    expect(parse(ipv6(44, [...fragment, ...udp]))).toMatchObject({
      fragment: true,
      firstFragment: false,
      l4Len: 0,
    });
  });

  it('reports nothing beyond what it was given, at any length', () => {
    for (const frame of [
      udp4(pattern(4), { vlans: [1, 2] }),
      tcp6(pattern(4)),
      ipv6(0, [60, 255, 0, 0, 0, 0, 0, 0, ...pattern(30)]),
      tcp4(pattern(2), { options: [1, 1, 1, 1] }),
    ]) {
      for (let length = 0; length <= frame.length; length++) {
        const h = parse(frame, length);
        expect(h.l2Len).toBeLessThanOrEqual(length);
        if (h.ipVersion !== 0) expect(h.l2Len + h.l3Len).toBeLessThanOrEqual(length);
        if (h.l4Len > 0) expect(h.l4 + h.l4Len).toBeLessThanOrEqual(length);
      }
    }
  });

  it.each([
    ['a header length below 20', [0x44, 0]],
    ['a version that is not 4', [0x55, 0]],
  ])('refuses %s', (_name, bytes) => {
    const frame = Uint8Array.from(udp4(pattern(20)));
    frame.set(bytes, 14);
    expect(parse(frame).ipVersion).toBe(0);
  });

  it('refuses a total length shorter than its header, and a TCP offset beyond the packet', () => {
    const short = Uint8Array.from(udp4(pattern(20)));
    short.set([0, 19], 16);
    expect(parse(short).ipVersion).toBe(0);
    const tcp = Uint8Array.from(tcp4([]));
    tcp[46] = 0xf0;
    expect(parse(tcp)).toMatchObject({ proto: 6, l4Len: 0 });
  });
});
