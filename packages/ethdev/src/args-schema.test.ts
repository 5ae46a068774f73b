import { describe, expect, expectTypeOf, it } from 'vitest';
import type { ArgsOf } from './args-schema.js';
import { bool, choice, flag, int, later, list, mac, parseArgs, path, str } from './args-schema.js';
import { parseDevargs } from './devargs.js';

const schema = {
  iface: path({ required: true }),
  queues: int({ default: 1, min: 1, max: 128 }),
  client: bool({ default: false }),
  mac: mac(),
  mode: choice(['skb', 'drv'], { default: 'skb' }),
  member: list(str()),
  'iommu-support': later('0', 'guest IOMMU comes with a later version'),
};

const parse = (text: string) => parseArgs(schema, parseDevargs(`net_x0,${text}`));
const refusal = (code: string, message: string) => expect.objectContaining({ code, message });

it('fills defaults and leaves optional keys undefined', () => {
  expect(parse('iface=/tmp/s')).toEqual({
    iface: '/tmp/s',
    queues: 1,
    client: false,
    mac: undefined,
    mode: 'skb',
    member: undefined,
    'iommu-support': '0',
  });
});

it('types the result from the schema', () => {
  expectTypeOf<ArgsOf<typeof schema>['iface']>().toEqualTypeOf<string>();
  expectTypeOf<ArgsOf<typeof schema>['queues']>().toEqualTypeOf<number>();
  expectTypeOf<ArgsOf<typeof schema>['mac']>().toEqualTypeOf<Uint8Array | undefined>();
  expectTypeOf<ArgsOf<typeof schema>['mode']>().toEqualTypeOf<'skb' | 'drv'>();
  expect(parse('iface=/s,mode=drv').mode).toBe('drv');
});

it.each([
  ['0x10', 16],
  ['128', 128],
])('reads the number %s', (text, value) => {
  expect(parse(`iface=/s,queues=${text}`).queues).toBe(value);
});

it.each(['1', 'true', 'on', 'YES'])('reads %s as true', (text) => {
  expect(parse(`iface=/s,client=${text}`).client).toBe(true);
});

it.each([
  ['', false],
  ['persist', true],
  ['persist=1', true],
  ['persist=0', false],
])('reads a flag from "%s"', (text, value) => {
  expect(parseArgs({ persist: flag() }, parseDevargs(`net_x0,${text}`)).persist).toBe(value);
});

it('reads an address as six bytes', () => {
  expect(parse('iface=/s,mac=02:00:00:00:00:0A').mac).toEqual(Uint8Array.of(2, 0, 0, 0, 0, 10));
});

it.each(['member=a,member=b', 'member=[a,b]'])('reads a repeatable key from %s', (text) => {
  expect(parse(`iface=/s,${text}`).member).toEqual(['a', 'b']);
});

describe('refuses', () => {
  it.each([
    ['ifase=/s', 'DEVARG_UNKNOWN', "net_x0: unknown devarg 'ifase'; did you mean 'iface'?"],
    [
      'bogus=1',
      'DEVARG_UNKNOWN',
      "net_x0: unknown devarg 'bogus'; it knows iface, queues, client, mac, mode, member and iommu-support.",
    ],
    ['queues=2', 'DEVARG_MISSING', "net_x0: 'iface' is required; add ,iface=…."],
    ['iface=/s,iface=/t', 'DEVARG_REPEATED', "net_x0: 'iface' is given twice; keep one."],
    ['iface', 'DEVARG_VALUE', "net_x0: 'iface' needs a value; write iface=…."],
    ['iface=', 'DEVARG_VALUE', 'net_x0: iface= is empty; give a file name.'],
    ['iface=/s,queues=0', 'DEVARG_VALUE', 'net_x0: queues=0 is outside 1 to 128.'],
    ['iface=/s,queues=2x', 'DEVARG_VALUE', 'net_x0: queues=2x is not a whole number.'],
    ['iface=/s,client=2', 'DEVARG_VALUE', 'net_x0: client=2 is not 0 or 1.'],
    ['iface=/s,mode=drb', 'DEVARG_VALUE', "net_x0: mode=drb is not one of skb and drv; did you mean 'drv'?"],
    ['iface=/s,mac=1:2', 'DEVARG_VALUE', 'net_x0: mac=1:2 is not a MAC address such as 02:00:00:00:00:01.'],
    [
      'iface=/s,iommu-support=1',
      'DEVARG_VALUE',
      'net_x0: iommu-support=1 is not supported: guest IOMMU comes with a later version.',
    ],
    ['constructor=1,iface=/s', 'DEVARG_UNKNOWN', expect.stringContaining("unknown devarg 'constructor'")],
  ])('%s', (text, code, message) => {
    expect(() => parse(text)).toThrow(refusal(code, message as string));
  });
});

it('accepts the default value of a devarg that comes later', () => {
  expect(parse('iface=/s,iommu-support=0')['iommu-support']).toBe('0');
});
