/** Row A18 of docs/vhost.md. */
import { expect, it } from 'vitest';
import { formatLink, formatSpeed, SPEED_UNKNOWN } from './link.js';

it.each([
  [{ up: false, speed: 10_000, duplex: 'full', autoneg: false }, 'Link down'],
  [{ up: true, speed: 10_000, duplex: 'full', autoneg: false }, 'Link up at 10 Gbps FDX Fixed'],
  [{ up: true, speed: 100, duplex: 'half', autoneg: true }, 'Link up at 100 Mbps HDX Autoneg'],
] as const)('prints %j', (link, text) => {
  expect(formatLink(link)).toBe(text);
});

it.each([
  [0, 'None'],
  [2500, '2.5 Gbps'],
  [100_000, '100 Gbps'],
  [SPEED_UNKNOWN, 'Unknown'],
])('prints %d Mbit/s', (mbps, text) => {
  expect(formatSpeed(mbps)).toBe(text);
});
