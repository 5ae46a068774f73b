// Joins two ports on an lcore: what one receives the other sends, with its addresses swapped.
//   node forward.js [DEVARGS DEVARGS [SECONDS]]      (by default two net_null ports, three seconds)
import { setTimeout } from 'node:timers/promises';
import { drivers } from '@pollwire/drivers';
import { Eal } from '@pollwire/ethdev';
import { netVhost } from '@pollwire/vhost';

const [first = 'net_null0', second = 'net_null1', seconds = '3'] = process.argv.slice(2);
const eal = await Eal.init({ drivers: [...drivers, netVhost], vdevs: [first, second] });
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

try {
  const [lcore] = eal.lcores;
  if (lcore === undefined) throw new Error('one CPU only: give Eal.init lcores such as 0@0,1@0');
  for (const port of eal.ports.values()) await port.start();

  const run = lcore.launch(new URL('./macswap-poll.js', import.meta.url), { a: 0, b: 1 });
  await run.started;
  for (let second = 0; second < Number(seconds) && !stop.signal.aborted; second++) {
    await setTimeout(1000, undefined, { signal: stop.signal }).catch(() => undefined);
    const [forwarded, dropped] = run.counters();
    console.log(`${forwarded} forwarded, ${dropped} dropped`);
  }
  console.log('result:', await run.stop());
} finally {
  await eal.close();
}
