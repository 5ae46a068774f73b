// @ts-check
// Compiles TypeScript with project references. Two scopes: `program` is what runs (no tests), so that a broken
// test never stops `npm start`; `all` adds tests, tools and what crosses packages. Called by setup.mjs and check.
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expectedOutputs, removeOrphans } from './dist.mjs';
import { listFiles } from './files.mjs';
import { clearStamp, fingerprint, readStamp, writeStamp } from './fingerprint.mjs';
import { packageNames, ROOT, STATE_DIR } from './paths.mjs';
import { step } from './progress.mjs';
import { run } from './run.mjs';

/** @typedef {'program' | 'all'} Scope */

/** @type {Scope[]} */
const SCOPES = ['program', 'all'];

const TSC = join(ROOT, 'node_modules/typescript/lib/tsc.js');

/** @param {Scope} scope */
const stampPath = (scope) => join(STATE_DIR, `typescript-${scope}`);

/** @param {string} file */
const isTest = (file) => file.endsWith('.test.ts');

/**
 * Source files of a scope, relative to the root.
 * @param {Scope} scope
 */
function sources(scope) {
  const folders = packagesOf(scope).map((folder) => `${folder}/src`);
  if (scope === 'all') folders.push('test', 'examples', 'tools');
  const files = folders
    .flatMap((folder) => listFiles(ROOT, folder))
    .filter((file) => /\.(ts|mjs)$/.test(file));
  return scope === 'all' ? files : files.filter((file) => !isTest(file));
}

/** @param {Scope} scope */
function wanted(scope) {
  const configs = [...packageNames().map((name) => `packages/${name}`), 'test', 'examples', 'tools'].flatMap(
    (folder) => ['package.json', 'tsconfig.json', 'tsconfig.test.json'].map((file) => `${folder}/${file}`),
  );
  const others = ['tsconfig.base.json', 'tsconfig.json', 'pnpm-lock.yaml', ...configs];
  return fingerprint(
    ROOT,
    [...others.filter((file) => existsSync(join(ROOT, file))), ...sources(scope)],
    [scope],
  );
}

/** @param {Scope} scope */
export function isCompiled(scope) {
  return readStamp(stampPath(scope)) === wanted(scope) && missingOutputs(scope).length === 0;
}

/**
 * @param {Scope} scope
 * @throws {import('./run.mjs').CommandFailed} its output is the compiler's
 */
export async function compile(scope) {
  const what = scope === 'program' ? 'compiling' : 'compiling with tests';
  await step('typescript', what, async () => {
    const scopes = scope === 'all' ? SCOPES : [scope];
    const before = scopes.map(wanted);
    for (const name of scopes) clearStamp(stampPath(name));
    await runCompiler(scope);
    for (const [index, name] of scopes.entries()) writeStamp(stampPath(name), before[index] ?? '');
  });
}

/**
 * Removes what no source explains, forgets what is missing, and runs `tsc -b`.
 * @param {Scope} scope
 */
export async function runCompiler(scope) {
  removeOrphans();
  // tsc believes its build info even when an output has gone.
  for (const folder of new Set(
    missingOutputs(scope).map((output) => output.slice(0, output.indexOf('/dist/'))),
  )) {
    for (const name of ['tsconfig', 'tsconfig.test']) {
      rmSync(join(ROOT, folder, `dist/${name}.tsbuildinfo`), { force: true });
    }
  }
  await run(process.execPath, [TSC, '-b', '--pretty', 'false', ...projects(scope)], { cwd: ROOT });
}

/** @param {Scope} scope */
function projects(scope) {
  return scope === 'all' ? ['.'] : packagesOf(scope);
}

/**
 * Folders of packages; a program needs all but the one for tests.
 * @param {Scope} scope
 */
function packagesOf(scope) {
  const names = packageNames().filter((name) => scope === 'all' || name !== 'testkit');
  return names.map((name) => `packages/${name}`);
}

/** @param {Scope} scope */
function missingOutputs(scope) {
  return sources(scope)
    .flatMap(expectedOutputs)
    .filter((output) => !existsSync(join(ROOT, output)));
}
