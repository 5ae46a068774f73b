import { expect, it } from 'vitest';
import { formatMac, parseMac, randomMac } from './mac.js';

it('reads colons and dashes and prints upper case', () => {
  expect(formatMac(parseMac('2:0:ab:cd:Ef:01'))).toBe('02:00:AB:CD:EF:01');
  expect(formatMac(parseMac('02-00-00-00-00-09'))).toBe('02:00:00:00:00:09');
});

it.each(['', '02:00:00:00:00', '02:00:00:00:00:00:00', '02:00:00:00:00:gg', '020000000000'])(
  'refuses %j',
  (text) => {
    expect(() => parseMac(text)).toThrow(expect.objectContaining({ code: 'BAD_MAC' }));
  },
);

it('makes unicast, locally administered addresses', () => {
  for (let i = 0; i < 50; i++) expect((randomMac()[0] as number) & 3).toBe(2);
});
