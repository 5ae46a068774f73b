/**
 * A small program of one port, `node restart-ends.js VDEV`: runs restart-poll.ts on it until a line comes in on standard input, and
 * prints "back <ms>" when the first frames arrive and whenever some do after 150 ms without any, then "result {...}". Run by frontend-restart.test.ts.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Eal } from '@pollwire/ethdev';
import type { RestartOrder, RestartResult } from './restart-poll.js';
import { progress } from './restart-poll.js';

const SILENCE_MS = 150;
const TICK_MS = 5;

const eal = await Eal.init({
  lcores: '0,1',
  memory: 64,
  huge: 'never',
  vdevs: [process.argv[2] ?? ''],
  drivers: [import.meta.resolve('@pollwire/vhost')],
});
const pool = eal.createPool({ name: 'restart', size: 4096 });
const port = [...eal.ports.values()][0];
const lcore = eal.lcores[0];
if (port === undefined || lcore === undefined) throw new Error('no port or no worker lcore');
await port.start(pool);
const order: RestartOrder = { port: port.id, pool: pool.name };
const run = lcore.launch<RestartResult>(new URL('./restart-poll.js', import.meta.url), order);
await run.started;
console.log('ready');
let ended = false;
void once(process.stdin, 'data').then(() => {
  ended = true;
  process.stdin.destroy();
});
let before = 0;
let last = performance.now();
while (!ended) {
  await sleep(TICK_MS);
  const arrived = run.counters()[progress.arrived] ?? 0;
  if (arrived === before) continue;
  const now = performance.now();
  if (before === 0 || now - last > SILENCE_MS) console.log(`back ${Math.round(now - last)}`);
  before = arrived;
  last = now;
}
const result = await run.stop();
await port.stop();
console.log(`result ${JSON.stringify({ ...result, pool: { free: pool.free, size: pool.size } })}`);
await eal.close();
