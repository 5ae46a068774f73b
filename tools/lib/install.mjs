// @ts-check
// Installs the dependencies from the lockfile with pnpm at the version that package.json pins, through npx:
// the machine needs npm, which comes with Node, and nothing else. Called by setup.mjs.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { clearStamp, fingerprint, readStamp, writeStamp } from './fingerprint.mjs';
import { packageNames, ROOT, readJson } from './paths.mjs';
import { step } from './progress.mjs';
import { CommandFailed, run } from './run.mjs';

// Inside node_modules, so that removing the folder removes the stamp.
const STAMP = join(ROOT, 'node_modules', '.pollwire-installed');

const TESTPMD = 'packages/testpmd/bin/testpmd.mjs';

/** Folders of the workspace that have dependencies of their own. */
function workspaceFolders() {
  return [...packageNames().map((name) => `packages/${name}`), 'native', 'test', 'tools', 'examples'];
}

/** @returns {string} what an installation depends on, hashed */
function wanted() {
  const manifests = workspaceFolders().map((folder) => `${folder}/package.json`);
  const files = ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', ...manifests];
  return fingerprint(
    ROOT,
    files.filter((file) => existsSync(join(ROOT, file))),
    [process.arch],
  );
}

/** True when node_modules is what the lockfile says, and the testpmd command is linked. */
export function isInstalled() {
  const isLinked = existsSync(join(ROOT, 'node_modules/.bin/testpmd')) || !existsSync(join(ROOT, TESTPMD));
  return isLinked && readStamp(STAMP) === wanted();
}

/** @throws {CommandFailed} */
export async function install() {
  const pnpm = readJson(join(ROOT, 'package.json')).packageManager;
  await step('packages', `installing from the lockfile with ${pnpm}`, async (tick) => {
    clearStamp(STAMP);
    try {
      await run('npx', ['--yes', pnpm, 'install', '--frozen-lockfile'], {
        cwd: ROOT,
        // Without CI=true pnpm asks on the terminal before it replaces a node_modules of another layout.
        env: { CI: 'true' },
        onLine: (line) => {
          const progress = /^Progress: (.*)$/.exec(line)?.[1];
          if (progress !== undefined) tick(`[${progress}]`);
        },
      });
    } catch (error) {
      if (error instanceof CommandFailed && error.message.includes('ENOENT')) {
        error.message = 'npx not found: install npm, which normally comes with Node (apt-get install npm).';
      }
      throw error;
    }
    writeStamp(STAMP, wanted());
  });
}
