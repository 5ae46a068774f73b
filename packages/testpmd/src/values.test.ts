import { describe, expect, it } from 'vitest';
import { integer, maskBits, numberList, oneOf, parseIpv4, segmentLengths } from './values.js';

describe('integer', () => {
  it('takes decimal, hexadecimal and binary within the range', () => {
    expect([integer('x', '12', 0, 12), integer('x', '0xFF', 0, 255), integer('x', '0b101', 0, 9)]).toEqual([
      12, 255, 5,
    ]);
  });

  it.each(['', '-1', '1.5', '13', 'ten', '0x', '1 '])('refuses %j, naming it and the range', (text) => {
    expect(() => integer('--burst', text, 1, 12)).toThrow(
      `--burst must be a whole number from 1 to 12, not '${text}'.`,
    );
  });
});

describe('numberList', () => {
  it('keeps the order given', () => {
    expect(numberList('ports', '3,0-2,7', 63)).toEqual([3, 0, 1, 2, 7]);
  });

  it.each(['', '1,', '2-1', '64', 'a', '1;2', '-3'])('refuses %j', (text) => {
    expect(() => numberList('ports', text, 63)).toThrow(
      'ports must be numbers and ranges up to 63, such as 0-2,5',
    );
  });

  it('refuses a number named twice', () => {
    expect(() => numberList('ports', '0-2,1', 63)).toThrow('ports names 1 twice.');
  });
});

describe('maskBits', () => {
  it('gives the set bits, with and without 0x', () => {
    expect([maskBits('m', '0x5'), maskBits('m', 'a'), maskBits('m', '0x8000000000000000')]).toEqual([
      [0, 2],
      [1, 3],
      [63],
    ]);
  });

  it.each([
    ['0', 'm has no bit set.'],
    ['', 'm must be a hexadecimal mask'],
    ['0xg', 'm must be a hexadecimal mask'],
  ])('refuses %j', (text, message) => {
    expect(() => maskBits('m', text)).toThrow(message);
  });
});

describe('segmentLengths', () => {
  it('takes what fits', () => {
    expect(segmentLengths('txpkts', '64,64', 2048)).toEqual([64, 64]);
  });

  it.each([
    ['20000', 'length[0]=20000 > mbuf_data_size=2048 - give up'],
    ['64,2049', 'length[1]=2049 > mbuf_data_size=2048 - give up'],
    ['41', 'total packet length=41 < 42 - give up'],
    ['0,64', 'must be a whole number from 1'],
    ['64,,64', "not ''"],
    [Array(256).fill('1').join(','), 'has 256 segments; at most 255'],
  ])('refuses %j', (text, message) => {
    expect(() => segmentLengths('txpkts', text, 2048)).toThrow(message);
  });
});

it('reads IPv4 addresses in host order', () => {
  expect(parseIpv4('ip', '198.18.0.1')).toBe(0xc612_0001);
  for (const bad of ['1.2.3', '1.2.3.256', '1.2.3.4.5', 'a.b.c.d', '1..2.3']) {
    expect(() => parseIpv4('ip', bad)).toThrow(`not '${bad}'`);
  }
});

it('lists the choices when it refuses one', () => {
  expect(oneOf('--mode', 'b', ['a', 'b'])).toBe('b');
  expect(() => oneOf('--mode', 'c', ['a', 'b'])).toThrow("--mode must be one of a, b, not 'c'.");
});
