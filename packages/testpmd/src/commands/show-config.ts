/** `show config …`, `show fwd stats`, `dump …`: the forwarding configuration and what it did. */
import { kw, pick } from '../grammar.js';
import { formatPool } from '../report/pool.js';
import type { Testpmd } from '../testpmd.js';
import { define } from './context.js';

const section = 'display';

const SHOW = {
  fwd: (app: Testpmd) => app.forwarding.showConfig(),
  rxtx: (app: Testpmd) => app.forwarding.showRxTx(),
  cores: (app: Testpmd) => {
    const used = app.forwarding.lcores().slice(0, app.settings.nbCores);
    app.out.write(`List of forwarding lcores: ${used.map((id) => ` ${id}`).join('')}\n`);
  },
  txpkts: (app: Testpmd) => {
    const { segments } = app.settings.traffic;
    app.out.write(
      `Number of segments: ${segments.length}\nSegment sizes: ${segments.join(',')}\nSplit packet: off\n`,
    );
  },
} as const;

function dumpPools(app: Testpmd): void {
  for (const pool of app.eal.pools.values()) app.out.write(formatPool(pool.info()));
}

function dumpDevargs(app: Testpmd): void {
  app.out.write('User device list:\n');
  for (const port of app.eal.ports.values()) app.out.write(`  [vdev]: ${port.devargs}\n`);
}

export const showConfigCommands = [
  define({
    words: [kw('show'), kw('config'), pick('what', ['rxtx', 'cores', 'fwd', 'txpkts'])],
    section,
    help: 'Show bursts and queues, forwarding lcores, streams, or generated packets.',
    run: ({ what }, app) => SHOW[what](app),
  }),
  define({
    words: [kw('show'), kw('fwd'), kw('stats'), kw('all')],
    section,
    help: 'Show what was forwarded since the start.',
    run: (_args, app) => app.forwarding.showStats(),
  }),
  define({
    words: [kw('clear'), kw('fwd'), kw('stats'), kw('all')],
    section,
    help: 'Count forwarding from now on.',
    run: (_args, app) => app.forwarding.clearStats(),
  }),
  define({
    words: [pick('command', ['dump_mempool', 'dump_devargs'])],
    section,
    help: 'Show the mbuf pools, or the device arguments.',
    run: ({ command }, app) => (command === 'dump_mempool' ? dumpPools(app) : dumpDevargs(app)),
  }),
  define({
    words: [kw('dump'), pick('what', ['mempool', 'devargs'])],
    section,
    help: 'Show the mbuf pools, or the device arguments.',
    run: ({ what }, app) => (what === 'mempool' ? dumpPools(app) : dumpDevargs(app)),
  }),
];
