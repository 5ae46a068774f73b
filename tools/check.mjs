// @ts-check
// `npm run check`: types, lint, format, dependency direction and the other rules of the house.
import { generators } from './check/generated-fresh.mjs';
import { ROOT } from './lib/paths.mjs';
import { ensure, explain } from './lib/setup.mjs';

try {
  // Generators read layouts out of the built addon.
  await ensure({ flavours: generators(ROOT).length > 0 ? ['release'] : [] });
  const { runChecks } = await import('./lib/checks.mjs');
  const { failed } = await runChecks();
  process.exitCode = failed > 0 ? 1 : 0;
} catch (error) {
  explain(error);
  process.exitCode = 1;
}
