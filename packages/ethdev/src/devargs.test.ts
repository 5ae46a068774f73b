import { describe, expect, it } from 'vitest';
import { devargsOf, formatDevargs, MAX_PAIRS, parseDevargs } from './devargs.js';

const pairs = (text: string) => parseDevargs(text).pairs.map(({ key, value }) => [key, value]);

describe('string form', () => {
  it('takes a name alone', () => {
    expect(parseDevargs('net_null0')).toEqual({ text: 'net_null0', name: 'net_null0', pairs: [] });
  });

  it.each([
    [
      'net_vhost0,iface=/tmp/s,queues=2',
      [
        ['iface', '/tmp/s'],
        ['queues', '2'],
      ],
    ],
    [
      'n,a=[0-3,7],b=1',
      [
        ['a', '[0-3,7]'],
        ['b', '1'],
      ],
    ],
    ['n,,a=1,,', [['a', '1']]],
    ['n,iface=/tmp/a=b', [['iface', '/tmp/a=b']]],
    ['n,flag', [['flag', undefined]]],
    ['n,a=', [['a', '']]],
    ['n, a = 1', [[' a ', ' 1']]],
    [
      'n,iface="/tmp/a,b",q=1',
      [
        ['iface', '/tmp/a,b'],
        ['q', '1'],
      ],
    ],
    ['n,a="say \\"hi\\" \\\\"', [['a', 'say "hi" \\']]],
    [
      'n,a=x"y,b=1',
      [
        ['a', 'x"y'],
        ['b', '1'],
      ],
    ],
    [
      'n,m=1,m=2',
      [
        ['m', '1'],
        ['m', '2'],
      ],
    ],
    [
      'n,a=],b=1',
      [
        ['a', ']'],
        ['b', '1'],
      ],
    ],
  ])('reads %j', (text, expected) => {
    expect(pairs(text)).toEqual(expected);
  });

  it('keeps the exact text', () => {
    const text = 'net_vhost0,,iface=/tmp/s,queues=2,';
    expect(parseDevargs(text).text).toBe(text);
  });

  it.each([
    ['', 'the device name is missing'],
    [',iface=/tmp/s', 'the device name is missing'],
    ['iface=/tmp/s', "'iface=/tmp/s' is not a device name"],
    [`${'x'.repeat(65)}`, 'at most 64 are allowed'],
    ['n,=1', 'a value without a key at character 3'],
    ['n,a="x', 'is never closed'],
    ['n,a="x"y', "only a comma may follow the quoted value of 'a'"],
    ['n,a=[1,2', 'the bracket at character 5 is never closed'],
    [`n${',a=1'.repeat(MAX_PAIRS + 1)}`, '33 arguments; at most 32 are allowed'],
  ])('refuses %j', (text, message) => {
    expect(() => parseDevargs(text)).toThrow(
      expect.objectContaining({ code: 'DEVARGS_SYNTAX', message: expect.stringContaining(message) }),
    );
  });
});

describe('object form', () => {
  it('prints what the string form reads', () => {
    const devargs = devargsOf({
      driver: 'net_vhost',
      args: { iface: '/tmp/a,b', queues: 2, client: true, tso: undefined },
    });
    expect(devargs.text).toBe('net_vhost0,iface="/tmp/a,b",queues=2,client=1');
    expect(parseDevargs(devargs.text)).toEqual(devargs);
  });

  it('repeats the key of a list', () => {
    expect(devargsOf({ driver: 'net_pcap', id: 3, args: { iface: ['a', 'b'] } }).text).toBe(
      'net_pcap3,iface=a,iface=b',
    );
  });

  it('takes a whole name', () => {
    expect(devargsOf({ driver: 'net_null', name: 'net_null_left' }).name).toBe('net_null_left');
  });

  it('refuses a key that could not be read back', () => {
    expect(() => devargsOf({ driver: 'n', args: { 'a=b': 1 } })).toThrow(/cannot be an argument name/);
  });
});

/** Deterministic text generator: characters that matter to the grammar come up often. */
function* texts(count: number, alphabet: string): Iterable<string> {
  let state = 12345;
  const next = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  for (let i = 0; i < count; i++) {
    yield Array.from({ length: next(12) }, () => alphabet[next(alphabet.length)]).join('');
  }
}

describe('properties', () => {
  const alphabet = 'ab,=[]"\\ /0';

  it('every value survives printing and parsing', () => {
    for (const value of texts(5000, alphabet)) {
      const text = formatDevargs('net_x0', [
        { key: 'k', value },
        { key: 'z', value: '1' },
      ]);
      expect(parseDevargs(text).pairs, JSON.stringify(value)).toEqual([
        { key: 'k', value },
        { key: 'z', value: '1' },
      ]);
    }
  });

  it('any text is either refused with a code or printed back to the same pairs', () => {
    let accepted = 0;
    for (const tail of texts(5000, alphabet)) {
      const text = `net_x0,${tail}`;
      let parsed: ReturnType<typeof parseDevargs>;
      try {
        parsed = parseDevargs(text);
      } catch (error) {
        expect(error).toMatchObject({ code: 'DEVARGS_SYNTAX' });
        continue;
      }
      accepted++;
      expect(parseDevargs(formatDevargs(parsed.name, parsed.pairs)).pairs, text).toEqual(parsed.pairs);
    }
    expect(accepted).toBeGreaterThan(1000);
  });
});
