// @ts-check
// `npm run format`: Biome and clang-format write what the checks want.
import { join } from 'node:path';
import { findClangFormat, nativeFiles } from './check/clang-format.mjs';
import { ROOT } from './lib/paths.mjs';
import { note } from './lib/progress.mjs';
import { CommandFailed, run } from './lib/run.mjs';
import { ensure, explain } from './lib/setup.mjs';

try {
  await ensure();
  const biome = join(ROOT, 'node_modules/@biomejs/biome/bin/biome');
  let left = '';
  try {
    await run(process.execPath, [biome, 'check', '--write', '.'], { cwd: ROOT });
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    // What only a person can mend does not stop the C++ half.
    left = error.output;
  }
  const clangFormat = findClangFormat();
  const files = nativeFiles(ROOT);
  if (clangFormat === undefined)
    note('format', 'C++ left as it is: no clang-format 14 (apt-get install clang-format-14)');
  else if (files.length > 0) await run(clangFormat, ['-i', ...files], { cwd: ROOT });
  if (left !== '') {
    process.stdout.write(left);
    process.exitCode = 1;
  }
} catch (error) {
  explain(error);
  process.exitCode = 1;
}
