/**
 * A small program of two ports: sends checked frames on the first and expects them on the last, with whatever relays them in
 * between. Run by integrity-program.test.ts as a process of its own, with one JSON argument (ProgramOptions). Prints "ready" when
 * the ports are started, waits for a line on standard input, and prints one line "result {...}".
 */
import { once } from 'node:events';
import { Eal } from '@pollwire/ethdev';
import type { IntegrityOrder, IntegrityResult } from './integrity-poll.js';
import { progress } from './integrity-poll.js';

export interface ProgramOptions {
  /** Driver packages, e.g. `@pollwire/vhost`. */
  drivers: string[];
  /** One device, looped by its driver, or two. */
  vdevs: string[];
  lcores: string;
  order: Omit<IntegrityOrder, 'from' | 'to' | 'pool'>;
}

export interface ProgramResult extends IntegrityResult {
  /** Free mbufs and size of the pool after everything has stopped. */
  pool: { free: number; size: number };
  txPackets: number;
  rxPackets: number;
  txErrors: number;
  rxErrors: number;
}

/** Without progress for this long, what is missing counts as lost. */
const stallMs = 2000;
const tickMs = 20;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function main(options: ProgramOptions): Promise<void> {
  const eal = await Eal.init({
    lcores: options.lcores,
    memory: 128,
    huge: 'never',
    vdevs: options.vdevs,
    drivers: options.drivers.map((name) => import.meta.resolve(name)),
  });
  const pool = eal.createPool({ name: 'integrity', size: 8192 });
  const ports = [...eal.ports.values()];
  const from = ports[0];
  const to = ports.at(-1);
  const lcore = eal.lcores[0];
  if (from === undefined || to === undefined || lcore === undefined)
    throw new Error('no port or no worker lcore');
  for (const port of ports) {
    // Frames carry made-up addresses.
    port.setPromiscuous(true);
    await port.start(pool);
  }
  console.log('ready');
  // The relay must be forwarding: DPDK's virtio driver throws away what reaches it while it starts.
  await once(process.stdin, 'data');
  process.stdin.destroy();
  while (!ports.every((port) => port.link.up)) await pause(tickMs);

  const order: IntegrityOrder = { ...options.order, from: from.id, to: to.id, pool: pool.name };
  const run = lcore.launch<IntegrityResult>(new URL('./integrity-poll.js', import.meta.url), order);
  await run.started;
  let last = -1;
  let quiet = 0;
  while (last < order.count && quiet < stallMs) {
    await pause(tickMs);
    const arrived = run.counters()[progress.arrived] ?? 0;
    quiet = arrived === last ? quiet + tickMs : 0;
    last = arrived;
  }
  const counted = await run.stop();
  const sent = from.stats();
  const received = to.stats();
  for (const port of ports) await port.stop();
  const result: ProgramResult = {
    ...counted,
    pool: { free: pool.free, size: pool.size },
    txPackets: Number(sent.opackets),
    rxPackets: Number(received.ipackets),
    txErrors: Number(sent.oerrors),
    rxErrors: Number(received.ierrors),
  };
  console.log(`result ${JSON.stringify(result)}`);
  await eal.close();
}

await main(JSON.parse(process.argv[2] ?? '{}') as ProgramOptions);
