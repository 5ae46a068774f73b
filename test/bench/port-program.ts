/**
 * A program with one port of ours, whose lcore does what it is told: sends a load, probes, or forwards and watches its own turns. Each line
 * on standard input is a request, each answer a line `NAME JSON`. Run by tools/bench/port-program.mjs as a process of its own, with one
 * JSON argument (ProgramOptions).
 */
import { createInterface } from 'node:readline';
import type { Run } from '@pollwire/ethdev';
import { Eal } from '@pollwire/ethdev';
import type { LoadOrder, LoadResult } from './load-poll.js';
import { LOAD } from './load-poll.js';
import type { ProbeOrder, ProbeResult } from './probe-poll.js';
import { PROBE } from './probe-poll.js';
import type { GapOrder, GapResult } from './turn-gaps.js';

export interface ProgramOptions {
  vdev: string;
  /** The lcore (0 or 1) that only answers; the other one polls. */
  mainLcore: 0 | 1;
}

type Order<T> = Omit<T, 'port' | 'pool'>;
export type Request =
  | { op: 'link' }
  | { op: 'load'; order: Order<LoadOrder> }
  | { op: 'probe'; order: Order<ProbeOrder> }
  | { op: 'forward'; order: Order<GapOrder> }
  | { op: 'stop' }
  | { op: 'end' };

const POOL_SIZE = 16_384;
/** Frames that have not come back for this long after the last one was sent are lost. */
const DRAIN_MS = 300;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function answer(name: string, value: unknown): void {
  process.stdout.write(`${name} ${JSON.stringify(value)}\n`);
}

async function main({ vdev, mainLcore }: ProgramOptions): Promise<void> {
  const drivers = ['@pollwire/vhost', '@pollwire/virtio'].map((name) => import.meta.resolve(name));
  const eal = await Eal.init({
    lcores: '0,1',
    mainLcore,
    memory: 128,
    huge: 'never',
    vdevs: [vdev],
    drivers,
  });
  const pool = eal.createPool({ name: 'bench', size: POOL_SIZE });
  const [port] = eal.ports.values();
  const [lcore] = eal.lcores;
  if (port === undefined || lcore === undefined) throw new Error('no port or no worker lcore');
  port.setPromiscuous?.(true);
  await port.start(pool);
  const launch = async <R>(module: string, order: object): Promise<Run<R>> => {
    const run = lcore.launch<R>(new URL(module, import.meta.url), {
      ...order,
      port: port.id,
      pool: pool.name,
    });
    await run.started;
    return run;
  };
  let forwarding: Run<GapResult> | undefined;

  const handlers = {
    link: async () => {
      while (!port.link.up) await pause(10);
      return { up: true };
    },
    load: async (order: Order<LoadOrder>): Promise<LoadResult> => {
      const run = await launch<LoadResult>('./load-poll.js', order);
      while (run.counters()[LOAD.OVER] !== 1) await pause(20);
      await pause(DRAIN_MS);
      return run.stop();
    },
    probe: async (order: Order<ProbeOrder>): Promise<ProbeResult> => {
      const run = await launch<ProbeResult>('./probe-poll.js', order);
      while ((run.counters()[PROBE.SETTLED] ?? 0) < order.count) await pause(20);
      return run.stop();
    },
    forward: async (order: Order<GapOrder>) => {
      forwarding = await launch<GapResult>('./turn-gaps.js', order);
      return {};
    },
    stop: async () => forwarding?.stop(),
  };
  answer('ready', { pid: process.pid });
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line) as Request;
    if (request.op === 'end') break;
    const order = 'order' in request ? request.order : {};
    answer(request.op, (await (handlers[request.op] as (order: object) => Promise<unknown>)(order)) ?? {});
  }
  process.stdin.destroy();
  await port.stop();
  await eal.close();
}

await main(JSON.parse(process.argv[2] ?? '{}') as ProgramOptions);
