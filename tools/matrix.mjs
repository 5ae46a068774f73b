// @ts-check
// `npm run matrix [-- --quick]`: sets up, then runs every ring format against DPDK and against ourselves and prints one table.
// Exit status 0 when all of it is green.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { flavourEnv } from './lib/flavours.mjs';
import { ROOT } from './lib/paths.mjs';
import { ensure, explain } from './lib/setup.mjs';

try {
  await ensure({ flavours: ['release'], scope: 'all' });
} catch (error) {
  explain(error);
  process.exit(1);
}
const program = join(ROOT, 'test', 'dist', 'matrix', 'run.js');
const child = spawn(process.execPath, ['--enable-source-maps', program, ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: { ...flavourEnv('release'), ...process.env },
});
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => child.kill(signal));
}
const [code] = await once(child, 'exit');
process.exitCode = typeof code === 'number' ? code : 1;
