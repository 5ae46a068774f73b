#!/usr/bin/env node
// Launcher of testpmd: runs the compiled program and turns its result into the exit code. The process ends by itself once nothing is left to
// do; the timer is for a handle that somebody forgot.
import { existsSync } from 'node:fs';

const program = new URL('../dist/main.js', import.meta.url);
if (!existsSync(program)) {
  process.stderr.write('testpmd: not built yet; run `npm start` or `npm run build` in the project folder.\n');
  process.exit(1);
}
const { main } = await import(program.href);
process.exitCode = await main(process.argv.slice(2));
setTimeout(() => process.exit(), 500).unref();
