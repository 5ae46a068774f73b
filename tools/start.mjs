// @ts-check
// `npm start`: sets up, then becomes testpmd with the given arguments, or the demonstration without any. The
// program runs in this very process, so signals, the terminal and the exit code are its own.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './lib/paths.mjs';
import { ensure, explain } from './lib/setup.mjs';

const args = process.argv.slice(2);
try {
  await ensure({ flavours: ['release'], scope: 'program' });
} catch (error) {
  explain(error);
  process.exit(1);
}

const program = join(
  ROOT,
  args.length > 0 ? 'packages/testpmd/bin/testpmd.mjs' : 'packages/testpmd/dist/demo.js',
);
process.argv = [process.execPath, program, ...args];
const loaded = await import(pathToFileURL(program).href);
if (args.length === 0 && typeof loaded.main === 'function') {
  const code = await loaded.main();
  if (typeof code === 'number') process.exitCode = code;
}
