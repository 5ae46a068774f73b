// @ts-check
// `npm run docs`: the API reference from the docstrings, into docs/api. Warnings are errors.
import { join } from 'node:path';
import { ROOT } from './lib/paths.mjs';
import { step } from './lib/progress.mjs';
import { run } from './lib/run.mjs';
import { ensure, explain } from './lib/setup.mjs';

try {
  await ensure({ scope: 'program' });
  await step('docs', 'writing docs/api', () =>
    run(process.execPath, [join(ROOT, 'node_modules/typedoc/bin/typedoc')], { cwd: ROOT }),
  );
} catch (error) {
  explain(error);
  process.exitCode = 1;
}
