/** Rows 77 to 107: what a guest can put into its rings. Most are done in both formats, for what the guest sends and for what it receives. */
import assert from 'node:assert/strict';
import { until } from '../bench.js';
import type { DeviceCase } from '../case.js';
import { deviceCase } from '../case.js';
import type { FrontBench } from '../front-bench.js';
import type { Descriptor, GuestSide, HostileGuest } from '../peers/hostile-guest.js';
import { D } from '../peers/hostile-guest.js';

const BOTH = ['split', 'packed'] as const;
const WHOLE = 72;
const BAD = {
  rx: ['RX_BAD_CHAIN', 'RX_BAD_ADDRESS', 'RX_BAD_LENGTH'],
  tx: ['TX_BAD_CHAIN', 'TX_BAD_ADDRESS'],
} as const;

type Direction = 'rx' | 'tx';

/** What an attack may use. */
interface Place {
  readonly guest: HostileGuest;
  readonly ring: GuestSide;
  /** Flag of a buffer of the right direction, and of the wrong one. */
  readonly right: number;
  readonly wrong: number;
}

type Chain = (place: Place) => readonly Descriptor[];

function placeOf(guest: HostileGuest, direction: Direction): Place {
  // Our rx is what the guest sends: ring 1, buffers that the device reads.
  const receiving = direction === 'rx';
  return {
    guest,
    ring: guest.rings[receiving ? 1 : 0],
    right: receiving ? 0 : D.WRITE,
    wrong: receiving ? D.WRITE : 0,
  };
}

const badCount = (bench: FrontBench, port: Parameters<FrontBench['counter']>[0], direction: Direction) =>
  BAD[direction].reduce((sum, name) => sum + bench.counter(port, direction, name), 0);

/** A packet goes through in this direction. */
async function passes(bench: FrontBench, place: Place, direction: Direction): Promise<void> {
  const { port } = await bench.target();
  place.guest.frame();
  place.ring.offer([{ addr: place.guest.data(), length: WHOLE, flags: place.right }]);
  if (direction === 'rx') assert.equal(bench.receive(port), 1, 'a good packet is received');
  else assert.equal(bench.transmit(port, 1), 1, 'a good buffer is filled');
}

/** The chain goes back empty, counted once, and what comes next is served. */
function drops(row: number, what: string, chain: Chain, formats: DeviceCase['formats'] = BOTH): DeviceCase {
  return deviceCase(
    row,
    what,
    async (bench) => {
      const guest = await bench.guest();
      const { port } = await bench.target();
      for (const direction of ['rx', 'tx'] as const) {
        const place = placeOf(guest, direction);
        const before = place.ring.index;
        place.ring.offer(chain(place));
        if (direction === 'rx') assert.equal(bench.receive(port), 0);
        else bench.transmit(port, 1);
        assert.equal(badCount(bench, port, direction), 1, `${direction}: counted once`);
        assert.ok(
          place.ring.packed ? place.ring.wasUsed(before) : place.ring.usedIndex !== before,
          'it goes back',
        );
        assert.equal(place.ring.usedLength(before), 0, 'with length 0');
        assert.equal(port.link.up, true);
        await passes(bench, place, direction);
      }
    },
    formats,
  );
}

/** The ring stops with one event and one line; set up anew it works. */
function breaks(
  row: number,
  what: string,
  attack: (place: Place) => void,
  formats: DeviceCase['formats'],
): DeviceCase {
  return deviceCase(
    row,
    what,
    async (bench) => {
      const guest = await bench.guest();
      const { port } = await bench.target();
      const place = placeOf(guest, 'rx');
      let downs = 0;
      port.on('intr_lsc', () => {
        if (!port.link.up) downs++;
      });
      attack(place);
      assert.equal(bench.receive(port), 0);
      await until('the link to go down', () => downs > 0);
      assert.equal(bench.receive(port), 0);
      assert.equal(bench.counter(port, 'rx', 'BROKEN'), 1);
      assert.equal(
        bench.bench.logged(/ring 1: broken by the driver \(\w+\)/).length,
        1,
        bench.bench.lines.join('\n'),
      );
      assert.equal(downs, 1);
      guest.resetRing(1);
      await guest.restart(1);
      await until('the link', () => port.link.up);
      await passes(bench, place, 'rx');
    },
    formats,
  );
}

/** Nothing wrong with it. */
function serves(row: number, what: string, chain: Chain, formats: DeviceCase['formats'] = BOTH): DeviceCase {
  return deviceCase(
    row,
    what,
    async (bench) => {
      const guest = await bench.guest();
      const { port } = await bench.target();
      const place = placeOf(guest, 'rx');
      guest.frame();
      place.ring.offer(chain(place));
      assert.equal(bench.receive(port), 1);
      assert.equal(badCount(bench, port, 'rx'), 0);
      await passes(bench, place, 'rx');
    },
    formats,
  );
}

/** `count` pieces of `length` bytes one after the other, from the start of the data. */
function pieces({ guest, right }: Place, count: number, length: number): Descriptor[] {
  return Array.from({ length: count }, (_, i) => ({
    addr: guest.data() + BigInt(i * length),
    length,
    flags: right | (i + 1 < count ? D.NEXT : 0),
    ...(guest.rings[0].packed ? {} : { next: i + 1 }),
  }));
}

const single =
  (addr: (place: Place) => bigint, length: number): Chain =>
  (place) => [{ addr: addr(place), length, flags: place.right }];

/** A table in guest memory, and the descriptor that points to it. */
function table(
  place: Place,
  entries: readonly Descriptor[],
  bytes = entries.length * 16,
  flags = 0,
): Descriptor[] {
  const at = place.guest.writeTable(place.ring, entries);
  return [{ addr: place.guest.memory.guestAddr(at), length: bytes, flags: D.INDIRECT | flags }];
}

const outside: Chain[] = [
  single(() => 0n, WHOLE),
  single(({ guest }) => guest.end, WHOLE),
  single(({ guest }) => guest.end - BigInt(WHOLE - 1), WHOLE),
  single(() => (1n << 64n) - 8n, WHOLE),
];

export const DEVICE_RING: readonly DeviceCase[] = [
  breaks(77, 'an index one too far', ({ ring }) => ring.publish(ring.index + ring.size + 1), ['split']),
  breaks(77, 'an index 30,000 too far', ({ ring }) => ring.publish(ring.index + 30_000), ['split']),
  breaks(77, 'an index that goes back', ({ ring }) => ring.publish(ring.index - 1), ['split']),
  deviceCase(
    78,
    'work without end',
    async (bench) => {
      const guest = await bench.guest();
      const { port } = await bench.target();
      const place = placeOf(guest, 'rx');
      guest.frame();
      for (let i = 0; i < 50; i++) place.ring.offer([{ addr: guest.data(), length: WHOLE }]);
      assert.equal(bench.receive(port, 16), 16, 'a burst takes no more than asked');
      assert.equal(bench.receive(port, 64), 34);
    },
    BOTH,
  ),
  deviceCase(
    79,
    'heads outside the table',
    async (bench) => {
      const guest = await bench.guest();
      const { port } = await bench.target();
      const place = placeOf(guest, 'rx');
      for (const head of [64, 32_768, 65_535]) place.ring.offerHead(head);
      assert.equal(bench.receive(port), 0);
      assert.equal(bench.counter(port, 'rx', 'RX_BAD_CHAIN'), 3);
      await passes(bench, place, 'rx');
    },
    ['split'],
  ),
  deviceCase(
    80,
    'a head twice in flight',
    async (bench) => {
      const guest = await bench.guest();
      const { port } = await bench.target();
      guest.frame();
      guest.rings[1].offer([{ addr: guest.data(), length: WHOLE }]);
      guest.rings[1].offerHead(0);
      assert.equal(bench.receive(port), 2, 'each is a packet of its own');
    },
    ['split'],
  ),
  drops(
    81,
    'a chain that leaves the table',
    (p) => [{ ...pieces(p, 1, 40)[0]!, flags: p.right | D.NEXT, next: 64 }],
    ['split'],
  ),
  drops(
    81,
    'a chain that is a loop',
    (p) => [{ ...pieces(p, 1, 40)[0]!, flags: p.right | D.NEXT, next: 0 }],
    ['split'],
  ),
  serves(82, 'a chain as long as the ring', (p) => pieces(p, 64, 2)),
  drops(83, 'a table of more pieces than a packet has', (p) => table(p, pieces(p, 65, 2))),
  drops(84, 'no bytes at all', (p) => pieces(p, 3, 0)),
  drops(84, 'fewer bytes than the header', (p) => pieces(p, 1, 11)),
  drops(85, 'more than 4 GiB', (p) => pieces(p, 1, 0xffff_ffff)),
  ...outside.map((chain, i) => drops(86, `an address outside, ${i + 1} of ${outside.length}`, chain)),
  drops(87, 'the wrong direction', (p) => [{ addr: p.guest.data(), length: WHOLE, flags: p.wrong }]),
  drops(87, 'the wrong direction behind the right one', (p) => {
    const [first, second] = pieces(p, 2, WHOLE) as [Descriptor, Descriptor];
    return [first, { ...second, flags: p.wrong }];
  }),
  ...[88, 103].flatMap((row) => {
    const formats = row === 88 ? (['split'] as const) : (['packed'] as const);
    const both = (place: Place) => pieces(place, 2, WHOLE);
    return [
      drops(row, 'a table of 0 bytes', (p) => table(p, both(p), 0), formats),
      drops(row, 'a table of 15 bytes', (p) => table(p, both(p), 15), formats),
      drops(row, 'a table of 17 bytes', (p) => table(p, both(p), 17), formats),
      drops(row, 'a table of 4 GiB', (p) => table(p, both(p), 0xffff_fff0), formats),
      drops(row, 'a table in a table', (p) => table(p, table(p, both(p))), formats),
      drops(
        row,
        'a table outside',
        (p) => [{ addr: p.guest.end - 8n, length: 32, flags: D.INDIRECT }],
        formats,
      ),
    ];
  }),
  drops(88, 'a table with NEXT', (p) => [{ ...table(p, pieces(p, 1, WHOLE), 16, D.NEXT)[0]!, next: 1 }], [
    'split',
  ]),
  serves(89, 'flags that nobody knows', (p) => [{ addr: p.guest.data(), length: WHOLE, flags: 0x7000 }]),
  deviceCase(
    92,
    'too few buffers for a packet, and buffers of one byte',
    async (bench) => {
      const guest = await bench.guest();
      const { port } = await bench.target();
      const place = placeOf(guest, 'tx');
      for (let i = 0; i < 60; i++) place.ring.offer([{ addr: guest.data(), length: 16, flags: D.WRITE }]);
      bench.transmit(port, 1, 1500);
      assert.ok(bench.counter(port, 'tx', 'TX_RING_FULL') + bench.counter(port, 'tx', 'TX_TOO_BIG') > 0);
      assert.equal(port.link.up, true);
      assert.equal(bench.transmit(port, 1, 60), 1, 'a shorter one fits');
    },
    BOTH,
  ),
  drops(93, 'a buffer that cannot hold the header', (p) => pieces(p, 1, 4)),
  deviceCase(
    94,
    'event structures of nonsense',
    async (bench) => {
      const guest = await bench.guest();
      const place = placeOf(guest, 'rx');
      for (let i = 0; i < 200; i++) {
        guest.memory.view.setUint16(place.ring.avail, (i * 7919) & 0xffff, true);
        if (place.ring.packed) guest.memory.view.setUint16(place.ring.avail + 2, (i * 31) & 0xffff, true);
        else guest.memory.view.setUint16(place.ring.avail + 4 + 128, (i * 31) & 0xffff, true);
        await passes(bench, place, 'rx');
      }
    },
    BOTH,
  ),
  deviceCase(
    96,
    'the used ring is overwritten',
    async (bench) => {
      const guest = await bench.guest();
      const place = placeOf(guest, 'rx');
      for (let i = 0; i < 20; i++) {
        guest.memory.u8.fill(0xff, place.ring.used, place.ring.used + 6 + 64 * 8);
        await passes(bench, place, 'rx');
      }
    },
    ['split'],
  ),
  deviceCase(
    98,
    'owner bits at random on every descriptor',
    async (bench) => {
      const guest = await bench.guest();
      const { port } = await bench.target();
      const { ring } = placeOf(guest, 'rx');
      let received = 0;
      for (let round = 0; round < 50; round++) {
        for (let at = 0; at < ring.size; at++) {
          const flags = ((round * 131 + at * 977) >> 2) & (D.AVAIL | D.USED | 7);
          ring.write(ring.desc + at * 16, { addr: guest.data(), length: WHOLE, flags, next: at });
        }
        received += bench.receive(port);
      }
      assert.ok(received <= 50 * ring.size);
      guest.resetRing(1);
      await guest.restart(1);
      await until('the link', () => port.link.up);
      await passes(bench, placeOf(guest, 'rx'), 'rx');
    },
    ['packed'],
  ),
  breaks(
    99,
    'a list without an end',
    ({ guest, ring }) => {
      const one = { addr: guest.data(), length: 2, flags: D.NEXT };
      ring.offer(Array.from({ length: ring.size }, () => one));
    },
    ['packed'],
  ),
  deviceCase(
    100,
    'a list whose end is not there yet',
    async (bench) => {
      const guest = await bench.guest();
      const { port } = await bench.target();
      const { ring } = placeOf(guest, 'rx');
      guest.frame();
      ring.offer([{ addr: guest.data(), length: 40, flags: D.NEXT }]);
      assert.equal(bench.receive(port), 0, 'it is waited for');
      ring.offer([{ addr: guest.data() + 40n, length: 32 }]);
      assert.equal(bench.receive(port), 1);
    },
    ['packed'],
  ),
  deviceCase(
    101,
    'rings of 1, 3 and 255',
    async (bench) => {
      for (const size of [1, 3, 255]) {
        const guest = await bench.guest({ size });
        for (let i = 0; i < 10; i++) await passes(bench, placeOf(guest, 'rx'), 'rx');
        bench.drop();
        await bench.expectServes();
      }
    },
    ['packed'],
  ),
  deviceCase(
    102,
    'buffer ids outside the ring, and twice',
    async (bench) => {
      const guest = await bench.guest();
      const { port } = await bench.target();
      const { ring } = placeOf(guest, 'rx');
      guest.frame();
      for (const id of [64, 65_535, 7, 7]) ring.offer([{ addr: guest.data(), length: WHOLE, next: id }]);
      assert.equal(bench.receive(port), 4);
      const echoed = [0, 1, 2, 3].map((at) => guest.memory.view.getUint16(ring.desc + at * 16 + 12, true));
      // Used descriptors of a burst may be written as one: what was written is what was given.
      for (const id of echoed) assert.ok([64, 65_535, 7].includes(id));
    },
    ['packed'],
  ),
  deviceCase(
    107,
    'one bad descriptor at each place of a batch',
    async (bench) => {
      const guest = await bench.guest();
      const { port } = await bench.target();
      const { ring } = placeOf(guest, 'rx');
      guest.frame();
      for (let bad = 0; bad < 4; bad++) {
        for (let i = 0; i < 4; i++) {
          ring.offer([{ addr: i === bad ? guest.end : guest.data(), length: WHOLE }]);
        }
        assert.equal(bench.receive(port), 3, `the bad one is number ${bad}`);
        assert.equal(bench.counter(port, 'rx', 'RX_BAD_ADDRESS'), bad + 1);
      }
    },
    ['packed'],
  ),
];
