/**
 * A program with one or two of our ports that sends and checks frames on command: each line on standard input is a request, each
 * answer a line `NAME JSON`. Run by frame-program.ts as a process of its own, with one JSON argument (EndsOptions).
 */
import { createInterface } from 'node:readline';
import type { Mempool, Port } from '@pollwire/ethdev';
import { Eal } from '@pollwire/ethdev';
import type { FrameOrder, FrameResult } from './frame-poll.js';
import { progress } from './frame-poll.js';

export interface EndsOptions {
  /** Driver packages. */
  drivers: string[];
  vdevs: string[];
  /** EAL's lcore list, the main one first. */
  lcores: string;
  mainLcore: number;
  queues: number;
  mbufSize: number;
}

export type Request = { op: 'links' } | { op: 'run'; order: FrameOrder } | { op: 'end' };

/** Changes of a port's statistics over one run. */
export interface PortChange {
  rxPackets: number;
  rxBytes: number;
  rxErrors: number;
  txPackets: number;
  txBytes: number;
  txErrors: number;
}

export interface RunResult extends FrameResult {
  /** By port id. */
  ports: PortChange[];
}

/** Without progress for this long, what is missing counts as lost. */
const stallMs = 4000;
const tickMs = 10;
const mbufs = 4096;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function counts(port: Port): PortChange {
  const now = port.stats();
  return {
    rxPackets: Number(now.ipackets),
    rxBytes: Number(now.ibytes),
    rxErrors: Number(now.ierrors + now.imissed),
    txPackets: Number(now.opackets),
    txBytes: Number(now.obytes),
    txErrors: Number(now.oerrors),
  };
}

function change(before: PortChange, after: PortChange): PortChange {
  const keys = Object.keys(before) as (keyof PortChange)[];
  return Object.fromEntries(keys.map((key) => [key, after[key] - before[key]])) as unknown as PortChange;
}

function answer(name: string, value: unknown): void {
  process.stdout.write(`${name} ${JSON.stringify(value)}\n`);
}

async function runOrder(eal: Eal, ports: Port[], pool: Mempool, order: FrameOrder): Promise<RunResult> {
  const lcore = eal.lcores[0];
  if (lcore === undefined) throw new Error('no worker lcore');
  const before = ports.map(counts);
  const data = { ...order, pool: pool.name };
  const run = lcore.launch<FrameResult>(new URL('./frame-poll.js', import.meta.url), data);
  await run.started;
  answer('running', {});
  const watched = order.receive === undefined ? progress.sent : progress.arrived;
  let last = -1;
  for (let quiet = 0; last < order.count && quiet < stallMs; ) {
    await pause(tickMs);
    const now = run.counters()[watched] ?? 0;
    quiet = now === last ? quiet + tickMs : 0;
    last = now;
  }
  const counted = await run.stop();
  const after = ports.map(counts);
  return { ...counted, ports: after.map((now, i) => change(before[i] as PortChange, now)) };
}

async function main(options: EndsOptions): Promise<void> {
  const { lcores, mainLcore, vdevs, queues } = options;
  const drivers = options.drivers.map((name) => import.meta.resolve(name));
  const eal = await Eal.init({ lcores, mainLcore, memory: 256, huge: 'never', vdevs, drivers });
  const pool = eal.createPool({ name: 'frames', size: mbufs, dataRoom: options.mbufSize });
  const ports = [...eal.ports.values()];
  for (const port of ports) {
    port.configure({ rxQueues: queues, txQueues: queues });
    for (let queue = 0; queue < queues; queue += 1) {
      port.setupRxQueue(queue, { pool });
      port.setupTxQueue(queue);
    }
    // Frames carry made-up addresses.
    port.setPromiscuous(true);
    await port.start();
  }
  answer('ready', {});
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line) as Request;
    if (request.op === 'links') {
      while (!ports.every((port) => port.link.up)) await pause(tickMs);
      answer(
        'links',
        ports.map((port) => port.privateInfo().features ?? ''),
      );
    } else if (request.op === 'run') {
      answer('result', await runOrder(eal, ports, pool, request.order));
    } else break;
  }
  process.stdin.destroy();
  for (const port of ports) await port.stop();
  answer('end', { free: pool.free, size: pool.size });
  await eal.close();
}

await main(JSON.parse(process.argv[2] ?? '{}') as EndsOptions);
