import type { Port, PortStats } from '@pollwire/ethdev';
import { formatLink } from '@pollwire/ethdev';
import { expect, it } from 'vitest';
import { checkLinks } from './links.js';
import type { Clock } from './output.js';
import { systemClock, TextOutput } from './output.js';
import { PortStatistics } from './statistics.js';

function fakeClock(): Clock & { time: number; slept: number } {
  const clock = {
    time: 1000,
    slept: 0,
    now: () => clock.time,
    sleep: async (milliseconds: number) => {
      clock.time += milliseconds;
      clock.slept += milliseconds;
    },
  };
  return clock;
}

function fakePort() {
  const stats: PortStats = {
    ipackets: 0n,
    opackets: 0n,
    ibytes: 0n,
    obytes: 0n,
    imissed: 0n,
    ierrors: 0n,
    oerrors: 0n,
    rxNombuf: 0n,
  };
  const port = {
    id: 0,
    stats: () => ({ ...stats }),
    xstats: () => [
      ['rx_q0_packets', 3n],
      ['other', 4n],
    ],
  };
  return { stats, port: port as unknown as Port };
}

it('gives rates since the last look, bits for bytes, and none the first time', () => {
  const clock = fakeClock();
  const statistics = new PortStatistics(clock);
  const { stats, port } = fakePort();
  stats.ipackets = 500n;
  expect(statistics.report(port)).toMatchObject({ rxPackets: 500n, rxPps: 0n, rxBps: 0n });
  stats.ipackets += 3000n;
  stats.obytes += 1000n;
  clock.time += 1500;
  expect(statistics.report(port)).toMatchObject({ rxPackets: 3500n, rxPps: 2000n, txPps: 0n, txBps: 5328n });
  clock.time += 1000;
  expect(statistics.report(port).rxPps).toBe(0n);
});

it('shows no negative rate after a reset, nor after being told', () => {
  const clock = fakeClock();
  const statistics = new PortStatistics(clock);
  const { stats, port } = fakePort();
  stats.ipackets = 500n;
  statistics.report(port);
  stats.ipackets = 20n;
  clock.time += 1000;
  expect(statistics.report(port).rxPps).toBe(0n);
  stats.ipackets = 40n;
  statistics.forget(port);
  clock.time += 1000;
  expect(statistics.report(port).rxPps).toBe(0n);
});

it('adds the extended statistics asked for', () => {
  const { port } = fakePort();
  expect(new PortStatistics(fakeClock()).report(port, ['rx_q0_packets']).xstats).toEqual([
    ['rx_q0_packets', 3n],
  ]);
});

function linkPort(id: number, up: () => boolean): Port {
  return {
    id,
    get link() {
      return { up: up(), speed: 10_000, duplex: 'full', autoneg: true } as const;
    },
  } as unknown as Port;
}

it('waits for links only when nobody reports them', async () => {
  const clock = fakeClock();
  const out = new TextOutput();
  const signal = new AbortController().signal;
  const late = linkPort(0, () => clock.slept >= 300);
  await checkLinks([late], true, { out, clock, signal });
  expect([out.take(), clock.slept]).toEqual(['Checking link statuses...\n', 0]);
  await checkLinks([late], false, { out, clock, signal });
  expect([out.take(), clock.slept]).toEqual([
    `Checking link statuses...\nPort 0 ${formatLink(late.link)}\n`,
    300,
  ]);
});

it('gives up after nine seconds, or when the program ends', async () => {
  const clock = fakeClock();
  const out = new TextOutput();
  const never = linkPort(3, () => false);
  await checkLinks([never], false, { out, clock, signal: new AbortController().signal });
  expect([out.take(), clock.slept]).toEqual(['Checking link statuses...\nPort 3 Link down\n', 9000]);
  await checkLinks([never], false, { out, clock, signal: AbortSignal.abort() });
  expect(clock.slept).toBe(9000);
});

it('sleeps for real, and wakes early when told', async () => {
  const before = systemClock.now();
  await systemClock.sleep(5);
  expect(systemClock.now() - before).toBeGreaterThan(4);
  const controller = new AbortController();
  const nap = systemClock.sleep(60_000, controller.signal);
  controller.abort();
  await nap;
  await systemClock.sleep(60_000, controller.signal);
});
