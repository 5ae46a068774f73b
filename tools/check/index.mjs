// @ts-check
// The list of repository checks. Run by `npm run check`, and one by one by test/checks.
import * as biome from './biome.mjs';
import * as clangFormat from './clang-format.mjs';
import * as confined from './confined.mjs';
import * as directionNative from './direction-native.mjs';
import * as directionPackages from './direction-packages.mjs';
import * as docsVsCode from './docs-vs-code.mjs';
import * as fileSize from './file-size.mjs';
import * as forbiddenTokens from './forbidden-tokens.mjs';
import * as generatedFresh from './generated-fresh.mjs';
import * as types from './types.mjs';

export { ROOT } from '../lib/paths.mjs';
export { format } from './violation.mjs';

/** @type {import('./violation.mjs').Check[]} */
export const CHECKS = [
  types,
  biome,
  clangFormat,
  directionNative,
  directionPackages,
  confined,
  fileSize,
  forbiddenTokens,
  docsVsCode,
  generatedFresh,
];
