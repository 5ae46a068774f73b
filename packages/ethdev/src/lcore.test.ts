import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { PollwireError } from '@pollwire/native';
import { native } from '@pollwire/native';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Eal } from './eal.js';
import type { ForwardData, ForwardResult } from './fixtures/poll-forward.js';
import { testEal } from './fixtures/test-eal.js';
import type { Mempool } from './mempool.js';

const MODULE = new URL('./fixtures/poll-forward.js', import.meta.url);

let eal: Eal;
let pool: Mempool;
let failures: PollwireError[];

beforeEach(async () => {
  eal = await testEal();
  pool = eal.createPool({ name: 'p', size: 1024 });
  failures = [];
  eal.on('lcore_error', (error) => failures.push(error));
  for (const name of ['test_source0', 'test_source1']) await (await eal.attach(name)).start(pool);
});
afterEach(async () => {
  await eal.close();
  expect(native.mbufViolations()).toBe(0);
});

const launch = (id: number, data: ForwardData) => eal.lcore(id).launch<ForwardResult>(MODULE, data);

/** Resolves when `condition` holds; the lcore's counters are what tests wait for. Gives up before the test does, so that nothing loops on. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 18_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`still not true after 18 s: ${condition.toString()}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
const turned = (id: number, turns: number) => until(() => eal.lcore(id).stats().turns >= turns);

describe('a run', () => {
  it('polls until it is stopped, and returns what stop() returns', async () => {
    const lcore = eal.lcore(1);
    const run = launch(1, { rx: 0, tx: 1 });
    await run.started;
    expect([lcore.polling, lcore.current === run]).toEqual([true, true]);
    await turned(1, 100);
    const result = await run.stop();
    const { turns, busyTurns, work } = lcore.stats();
    expect(result).toMatchObject({ thread: '1', turns, messages: [] });
    expect([busyTurns, work]).toEqual([turns, turns * 32]);
    expect(lcore.polling).toBe(false);
  });

  it('accounts for every packet and every mbuf', async () => {
    const run = launch(1, { rx: 0, tx: 1 });
    await turned(1, 1000);
    await run.stop();
    const [received, sent] = run.counters();
    expect(received).toBe(sent);
    expect(eal.port(0)?.stats().ipackets).toBe(BigInt(received as number));
    expect(eal.port(1)?.stats().opackets).toBe(BigInt(sent as number));
    expect(pool.free).toBe(pool.size);
  });

  it('can be read while it goes on', async () => {
    const run = launch(1, { rx: 0, tx: 1 });
    await run.started;
    await turned(1, 1);
    const before = run.counters()[0] as number;
    await until(() => (run.counters()[0] as number) > before);
    await run.stop();
  });

  it('gets messages between turns', async () => {
    const run = launch(1, { rx: 0, tx: 1 });
    run.post('early');
    await run.started;
    for (let i = 0; i < 3; i++) run.post({ i });
    const { messages } = await run.stop();
    expect(messages).toEqual(['early', { i: 0 }, { i: 1 }, { i: 2 }]);
    expect(() => run.post('late')).toThrow(expect.objectContaining({ code: 'RUN_OVER' }));
  });

  it('can follow another on the same thread', async () => {
    await launch(1, { rx: 0, tx: 1 }).stop();
    const run = launch(1, { rx: 1, tx: 0 });
    await turned(1, 10);
    await run.stop();
    expect(eal.port(1)?.stats().ipackets).toBeGreaterThan(0n);
  });

  it('counts cycles on request', async () => {
    const run = eal.lcore(1).launch(MODULE, { rx: 0, tx: 1, turns: 50 }, { cycles: true });
    await turned(1, 200);
    await run.stop();
    const { busyCycles, totalCycles } = eal.lcore(1).stats();
    expect(busyCycles).toBeGreaterThan(0);
    expect(totalCycles).toBeGreaterThan(busyCycles);
  });

  it.each(['adaptive', 'interrupt'] as const)(
    'sleeps when idle in %s mode, and stops promptly from its sleep',
    async (idle) => {
      const run = eal.lcore(1).launch(MODULE, { rx: 0, tx: 1, turns: 5 }, { idle });
      await until(() => eal.lcore(1).stats().sleeps >= 8);
      const start = performance.now();
      await run.stop();
      expect(performance.now() - start).toBeLessThan(1000);
      expect(eal.lcore(1).stats().turns).toBeLessThan(100_000);
    },
  );

  it('writes its log through the main isolate', async () => {
    const lines: string[] = [];
    eal.logs.sink = (line) => lines.push(line);
    await launch(1, { rx: 0, tx: 1 }).stop();
    expect(lines).toContain('lcore.1: open');
  });
});

describe('the thread', () => {
  /** Name and allowed CPUs of every thread of this process. */
  const threads = () =>
    readdirSync('/proc/self/task').map((tid) => {
      const status = readFileSync(`/proc/self/task/${tid}/status`, 'utf8');
      return [/^Name:\t(.*)$/m.exec(status)?.[1], /^Cpus_allowed_list:\t(.*)$/m.exec(status)?.[1]];
    });

  it('is pinned to its CPU and named after the lcore', async () => {
    const run = launch(1, { rx: 0, tx: 1 });
    await run.started;
    expect(threads()).toContainEqual(['lcore-1', String(eal.lcore(1).cpu)]);
    await run.stop();
  });

  it('leaves the main thread where it was', async () => {
    const before = readFileSync(`/proc/self/task/${process.pid}/status`, 'utf8').match(
      /Cpus_allowed_list.*/,
    )?.[0];
    await launch(1, { rx: 0, tx: 1 }).stop();
    expect(readFileSync(`/proc/self/task/${process.pid}/status`, 'utf8')).toContain(before);
  });

  it('is gone after close', async () => {
    const run = launch(1, { rx: 0, tx: 1 });
    await run.started;
    await eal.close();
    expect(threads().map(([name]) => name)).not.toContain('lcore-1');
    await expect(run.done).resolves.toMatchObject({ thread: '1' });
  });

  it('allocates nothing while it polls', async () => {
    const run = launch(1, { rx: 0, tx: 1, burst: 4 });
    await turned(1, 1_200_000);
    const { heap } = await run.stop();
    const samples = heap.slice(2);
    expect(samples.length).toBeGreaterThanOrEqual(10);
    // One number object of 16 bytes per turn would make 1.6 MB between two samples, collected or not.
    expect(Math.max(...samples) - Math.min(...samples)).toBeLessThan(128 * 1024);
  });
});

describe('what goes wrong', () => {
  it('in poll stops its lcore only, with the stack, and frees what it held', async () => {
    const other = launch(2, { rx: 1, tx: 1 });
    await other.started;
    const run = launch(1, { rx: 0, tx: 1, throwAt: 50 });
    const error = await run.done.then(
      () => undefined,
      (e: PollwireError) => e,
    );
    expect(error).toMatchObject({
      code: 'POLL_FUNCTION_THREW',
      message: 'Lcore 1 stopped: poll function broke',
    });
    expect(error?.stack).toMatch(/poll-forward\.[jt]s/);
    expect(failures).toEqual([error]);
    const { turns } = eal.lcore(2).stats();
    await turned(2, turns + 100);
    await other.stop();
    expect(pool.free).toBe(pool.size);
    await launch(1, { rx: 0, tx: 1 }).stop();
  });

  it.each([
    [new URL('./fixtures/no-such-module.js', import.meta.url), 'Cannot find module'],
    ['data:text/javascript,export default 1', 'has no default export made by definePoll'],
    ['data:text/javascript,export default { open() {} }', 'returned nothing with a poll function'],
    [
      "data:text/javascript,export default { open(ctx) { ctx.port('nope') } }",
      "There is no port 'nope'; existing: 0 and 1.",
    ],
  ])('in the module is reported by started and done: %s', async (module, why) => {
    const run = eal.lcore(1).launch(module);
    await expect(run.started).rejects.toThrow(
      expect.objectContaining({ message: expect.stringContaining(why) }),
    );
    await expect(run.done).rejects.toThrow(why);
    expect(eal.lcore(1).polling).toBe(false);
    await launch(1, { rx: 0, tx: 1 }).stop();
  });

  it('a launch while it polls is refused', async () => {
    const run = launch(1, { rx: 0, tx: 1 });
    expect(() => launch(1, { rx: 0, tx: 1 })).toThrow(
      expect.objectContaining({
        code: 'LCORE_BUSY',
        message: 'Lcore 1 is polling already; stop its run first.',
      }),
    );
    await run.stop();
  });

  it('an unknown lcore is named with those there are', () => {
    expect(() => eal.lcore(9)).toThrow('Lcore 9 does not exist; worker lcores: 1 and 2.');
    expect(() => eal.lcore(0)).toThrow(
      'Lcore 0 is the main lcore, which runs no poll function; worker lcores: 1 and 2.',
    );
  });

  it('a poll function that never returns is ended after 2 s, and the lcore works again', async () => {
    const run = launch(1, { rx: 0, tx: 1, hang: true });
    await turned(1, 5);
    await expect(run.stop()).rejects.toThrow(expect.objectContaining({ code: 'LCORE_STUCK' }));
    const again = launch(1, { rx: 0, tx: 1 });
    await turned(1, 10);
    await again.stop();
    expect(pool.free).toBe(pool.size);
  });

  it('a thread that runs out of memory takes nothing else with it', async () => {
    await eal.close();
    eal = await testEal({ lcoreHeap: 24 });
    pool = eal.createPool({ name: 'p', size: 1024 });
    eal.on('lcore_error', (error) => failures.push(error));
    await (await eal.attach('test_source0')).start(pool);
    const run = launch(1, { rx: 0, tx: 0, hoard: true });
    await expect(run.done).rejects.toThrow(
      expect.objectContaining({
        code: 'LCORE_DIED',
        message: expect.stringMatching(/^Lcore 1 died: .*memory/),
      }),
    );
    await launch(1, { rx: 0, tx: 0 }).stop();
    expect(failures).toHaveLength(1);
  });
});

describe('a port', () => {
  it('that is detached while an lcore polls it yields nothing more, and its slots are not given to others', async () => {
    const run = launch(1, { rx: 0, tx: 1 });
    await run.started;
    await turned(1, 100);
    await eal.detach(0);
    await (await eal.attach('test_source5')).start(pool);
    // The turn that received the last burst may still be under way.
    await eal.lcore(1).sync();
    const before = run.counters()[0];
    const { turns } = eal.lcore(1).stats();
    await turned(1, turns + 1000);
    expect(run.counters()[0]).toBe(before);
    expect(eal.port('test_source5')?.stats().ipackets).toBe(0n);
    await run.stop();
    expect(pool.free).toBe(pool.size);
  });

  it('with a script data path is polled in the lcore, stops and starts under it', async () => {
    const port = await eal.attach('test_script0');
    await port.start(pool);
    const feed = launch(1, { rx: 0, tx: port.id });
    const drain = launch(2, { rx: port.id, tx: 1 });
    await until(() => port.stats().ipackets > 1000n);
    await port.stop();
    const stopped = port.stats();
    await turned(2, eal.lcore(2).stats().turns + 100);
    expect(port.stats()).toEqual(stopped);
    await port.start();
    await until(() => port.stats().ipackets > stopped.ipackets);
    await Promise.all([feed.stop(), drain.stop()]);
    await eal.detach(port);
    expect(pool.free).toBe(pool.size);
  });
});

describe('a process', () => {
  async function run(how: string, signal?: NodeJS.Signals) {
    const program = fileURLToPath(new URL('./fixtures/exit-while-polling.js', import.meta.url));
    const child = spawn(process.execPath, [program, how], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (signal !== undefined && output.includes('polling')) child.kill(signal);
    });
    const start = performance.now();
    const [code, killedBy] = (await once(child, 'exit')) as [number | null, string | null];
    return { code, killedBy, output, milliseconds: performance.now() - start };
  }

  it.each([
    ['exit', 7, 'polling\nstart stop close\n'],
    ['throw', 1, 'polling\nstart stop close\n'],
    ['idle', 0, 'polling\nstopped\nstart stop close\n'],
    ['close', 0, 'polling\nclosed\nstart stop release freed release freed close\n'],
  ])('ends promptly by %s', async (how, code, output) => {
    const result = await run(how);
    expect(result).toMatchObject({ code, output });
    expect(result.milliseconds).toBeLessThan(5000);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('ends promptly by %s while an lcore polls', async (signal) => {
    const result = await run('poll', signal);
    expect(result).toMatchObject({ code: null, killedBy: signal });
    expect(result.milliseconds).toBeLessThan(5000);
  });
});

it('has lcores that cost nothing before they are launched', () => {
  expect(eal.lcores.map(({ id, polling }) => [id, polling])).toEqual([
    [1, false],
    [2, false],
  ]);
  expect(native.usableCpus()).toContain(eal.lcore(1).cpu);
});
