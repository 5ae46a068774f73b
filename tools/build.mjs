// @ts-check
// `npm run build`: the release addon and all TypeScript. `npm run build:native [-- flavour …]`: addons only.
import { FLAVOURS, isFlavour } from './lib/flavours.mjs';
import { note } from './lib/progress.mjs';
import { ensure, explain } from './lib/setup.mjs';

const [mode, ...names] = process.argv.slice(2);
const flavours = names.length > 0 ? names : ['release'];
const unknown = flavours.find((name) => !isFlavour(name));
if (mode !== undefined && mode !== '--native') {
  note('build', `unknown argument ${mode}: give nothing, or --native and flavours`);
  process.exit(2);
}
if (unknown !== undefined) {
  note('build', `unknown flavour ${unknown}: use ${Object.keys(FLAVOURS).join(', ')}`);
  process.exit(2);
}
try {
  await ensure({ flavours: flavours.filter(isFlavour), ...(mode === '--native' ? {} : { scope: 'all' }) });
  note('build', 'current');
} catch (error) {
  explain(error);
  process.exit(1);
}
