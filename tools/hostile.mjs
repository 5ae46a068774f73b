// @ts-check
// `npm run hostile [-- --row N | --against dpdk]`: sets up, then runs every proof of the table of hostile inputs and prints
// the score.
// `--write` writes docs/hostile-inputs.md anew from the table.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { flavourEnv } from './lib/flavours.mjs';
import { ROOT } from './lib/paths.mjs';
import { ensure, explain } from './lib/setup.mjs';

try {
  await ensure({ flavours: ['checked'], scope: 'all' });
} catch (error) {
  explain(error);
  process.exit(1);
}
const args = process.argv.slice(2);
const name = args.includes('--write') ? 'write-page.js' : 'run.js';
const program = join(ROOT, 'test', 'dist', 'robustness', name);
const child = spawn(
  process.execPath,
  ['--enable-source-maps', program, ...args.filter((a) => a !== '--write')],
  {
    stdio: 'inherit',
    env: { ...flavourEnv('checked'), ...process.env },
  },
);
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => child.kill(signal));
}
const [code] = await once(child, 'exit');
process.exitCode = typeof code === 'number' ? code : 1;
