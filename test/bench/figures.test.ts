// What the benchmark's tools decide without measuring: cells, parsers, rows, progress, tables.
import {
  allCells,
  gateCells,
  mbufArgs,
  quickCells,
  select,
  selfLoop,
  twoCore,
} from '@pollwire/tools/bench/cells';
import { busiest, total } from '@pollwire/tools/bench/cpu-time';
import { memoryPer } from '@pollwire/tools/bench/growth';
import { freeHugeMiB } from '@pollwire/tools/bench/hugepages';
import { addLimits } from '@pollwire/tools/bench/limit';
import {
  answerTo,
  cyclesPerPacket,
  freeHeapKiB,
  meanFrame,
  portRate,
  procKiB,
  tornAnswer,
} from '@pollwire/tools/bench/parse';
import { chooseParts } from '@pollwire/tools/bench/parts';
import { Progress, span } from '@pollwire/tools/bench/progress';
import { cellTable } from '@pollwire/tools/bench/report';
import { rowOf } from '@pollwire/tools/bench/rounds';
import { table } from '@pollwire/tools/bench/table';
import { describe, expect, it } from 'vitest';

describe('cells', () => {
  it('are every combination once', () => {
    const names = allCells().map(({ name }) => name);
    // 4 rings × 5 sizes × 2 queue counts × (2 engines in the self-loop + 3 roles × 2 directions)
    expect(names.length).toBe(4 * 5 * 2 * (2 + 3 * 2));
    expect(new Set(names).size).toBe(names.length);
  });

  it('have a headline, of which the gate takes what needs no second core', () => {
    expect(quickCells().length).toBe(8 + 24);
    const names = new Set(quickCells().map(({ name }) => name));
    expect(gateCells().every(({ name, role }) => role === 'self-loop' && names.has(name))).toBe(true);
    expect(gateCells().length).toBe(8);
  });

  it('are chosen by text, several between commas', () => {
    const names = select(allCells(), 'self-loop split io 64 B,packed in-order guest-to-host 9000 B 2q');
    expect(names.map(({ name }) => name)).toEqual([
      'self-loop split io 64 B 1q',
      'self-loop split io 64 B 2q',
      'vhost packed in-order guest-to-host 9000 B 2q',
      'virtio packed in-order guest-to-host 9000 B 2q',
      'both packed in-order guest-to-host 9000 B 2q',
    ]);
    expect(select(allCells(), undefined).length).toBe(allCells().length);
  });

  it('get buffers that hold a frame', () => {
    expect(mbufArgs(1518).join(' ')).not.toContain('--mbuf-size');
    expect(mbufArgs(9000)).toContain('--mbuf-size=9728');
  });
});

describe('what testpmd prints', () => {
  const screen = `
  ######################## NIC statistics for port 0  ########################
  RX-packets: 10         RX-missed: 0          RX-bytes:  640
  TX-packets: 4          TX-errors: 0          TX-bytes:  256
  Throughput (since last show)
  Rx-pps:     12345678          Rx-bps:   1
  Tx-pps:            7          Tx-bps:   1
  ######################## NIC statistics for port 1  ########################
  RX-packets: 10         RX-missed: 0          RX-bytes:  656
  Rx-pps:            2          Rx-bps:   1
`;

  it('has rates and lengths of all ports together', () => {
    expect(portRate(screen, 'Rx')).toBe(12_345_680);
    expect(portRate(screen, 'Tx')).toBe(7);
    expect(portRate('nothing', 'Rx')).toBeNaN();
    expect(meanFrame(screen, 'RX')).toBe(64.8);
    expect(meanFrame(screen, 'TX')).toBe(64);
  });

  it('has the cycles of a packet, once something was forwarded', () => {
    const line = '  CPU cycles/packet=44.31 (busy cycles=1 / total io packets=2) at 2596 MHz Clock';
    expect(cyclesPerPacket(line)).toBe(44.31);
    expect(cyclesPerPacket('RX-packets: 0')).toBeUndefined();
  });

  it('answers a line behind its echo, not with a prompt drawn again before it', () => {
    const log = 'testpmd> \nPort 0: link state change event\ntestpmd> stop\nDone.\ntestpmd> ';
    expect(answerTo(log, 9, 'stop')).toBe('Done.\n');
    expect(answerTo(log.slice(0, -10), 9, 'stop')).toBeUndefined();
    expect(answerTo('EAL: text\ntestpmd> ', 0)).toBe('EAL: text\n');
    expect(answerTo('EAL: text\n', 0)).toBeUndefined();
  });

  it('is recognised where an event tore the prompt or the echo', () => {
    const torn = 'port attach x\nDone\nte\ns\ntpmd>Port 0: link state change event\n ';
    expect(tornAnswer(torn, 0)).toBe(torn);
    expect(tornAnswer('po\nPort 0: link state change event\nrt stop\nDone\ntestpmd> ', 0)).toContain('Done');
    expect(tornAnswer('port attach x\nDone\nte\ns\n', 0)).toBeUndefined();
  });

  it('and /proc has sizes', () => {
    expect(procKiB('VmPeak:\t 1 kB\nVmRSS:\t  2048 kB\n', 'VmRSS')).toBe(2048);
    expect(procKiB('', 'VmRSS')).toBe(0);
    const heap =
      'Socket 0: size(M) total: 9 free: 1\nTotal   : size(M) total: 512.0 alloc: 43.5(8%) free: 468.5 \tcount alloc: 5  free: 1';
    expect(freeHeapKiB(heap)).toBe(468.5 * 1024);
    expect(freeHeapKiB('Command not found')).toBe(0);
  });
});

describe('hugepages', () => {
  it('are counted where they are free', () => {
    const text = 'HugePages_Total:    1024\nHugePages_Free:      700\nHugepagesize:       2048 kB\n';
    expect(freeHugeMiB(text)).toBe(1400);
    expect(freeHugeMiB('MemTotal: 5 kB\n')).toBe(0);
  });
});

describe('CPU time between two samples', () => {
  const before = new Map([
    ['1', 100],
    ['2', 50],
  ]);
  const after = new Map([
    ['1', 110],
    ['2', 90],
    ['3', 5],
  ]);

  it('counts threads that came since', () => {
    expect(busiest(before, after)).toBe(40);
    expect(total(before, after)).toBe(55);
    expect(busiest(before, new Map())).toBe(0);
  });
});

describe('a row', () => {
  const cell = selfLoop('split', 'io');
  const rounds = {
    ours: [
      { rate: 10e6, cycles: 50 },
      { rate: 20e6, cycles: 60 },
    ],
    dpdk: [{ rate: 8e6 }, { rate: 5e6 }],
  };

  it('has the best rate, the fewest cycles and all rounds', () => {
    expect(rowOf(cell, rounds)).toEqual({
      cell: cell.name,
      role: 'self-loop',
      ours: 20e6,
      dpdk: 8e6,
      ratio: 2.5,
      cyclesOurs: 50,
      cyclesDpdk: undefined,
      rounds,
    });
  });

  it('gets the limit of its size where it has one', () => {
    const two = twoCore('vhost', 'split', 'guest-to-host');
    const rows = [rowOf(cell, rounds), rowOf(two, rounds)];
    const limits = new Map([[64, { size: 64, rate: 300e6, cycles: 8.5 }]]);
    const [first, second] = addLimits(rows, [cell, two], limits);
    expect([first?.limit, first?.cyclesLimit, second?.limit]).toEqual([300e6, 8.5, undefined]);
    expect(cellTable(addLimits(rows, [cell, two], limits)).split('\n')[2]).toBe(
      '| self-loop split io 64 B 1q        |    20.00 |     8.00 |  2.50 |         50.0 |              |    300.00 |           8.5 |',
    );
  });
});

describe('progress', () => {
  it('estimates the time left from the steps done', () => {
    let now = 0;
    const progress = new Progress(4, () => now);
    now = 30_000;
    expect(progress.step('one')).toBe('[1/4, about 2 min left] one');
    now = 60_000;
    expect(progress.step('two')).toBe('[2/4, about 60 s left] two');
    progress.step('three');
    expect(progress.step('four')).toBe('[4/4] four');
  });

  it.each([
    [40_400, '40 s'],
    [600_000, '10 min'],
    [3_900_000 * 2, '2 h 10 min'],
  ])('%d ms is %s', (ms, text) => expect(span(ms)).toBe(text));
});

describe('tables', () => {
  it('align names to the left and numbers to the right', () => {
    expect(
      table(
        ['what', 'n'],
        [
          ['a', 1],
          ['bcdef', undefined],
        ],
      ),
    ).toBe('| what  |   n |\n|-------|----:|\n| a     |   1 |\n| bcdef |     |');
  });
});

describe('parts', () => {
  it('are chosen by name, and an unknown one is named', () => {
    expect(chooseParts(undefined, true).map(({ name }) => name)).toEqual(['cells']);
    expect(chooseParts(undefined, false).length).toBeGreaterThanOrEqual(chooseParts(undefined, true).length);
    expect(() => chooseParts('cells,speed', false)).toThrow('--part=speed: there is no such part');
  });
});

describe('growth', () => {
  const row = (ports: number, queues: number, usedKiB?: number) => ({
    kind: 'dpdk' as const,
    ports,
    queues,
    ...(usedKiB === undefined ? { refused: 'too many' } : { usedKiB }),
  });
  const rows = [row(1, 1, 1000), row(8, 1, 1070), row(32, 1, 1310), row(64, 1), row(1, 8, 1014)];

  it('is per port and per queue, as far as it could be measured', () => {
    expect(memoryPer(rows, 'dpdk', 'ports')).toBe(10);
    expect(memoryPer(rows, 'dpdk', 'queues')).toBe(2);
    expect(memoryPer(rows, 'pollwire', 'ports')).toBeUndefined();
    expect(memoryPer([row(1, 1, 5)], 'dpdk', 'ports')).toBeUndefined();
  });
});
