// @ts-check
// Import arrows between packages point one way, in the sources and in the manifests. The table is section 2 of
// the architecture.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { packageNames, readJson } from '../lib/paths.mjs';
import { importTarget, scriptImports } from './imports.mjs';
import { isTestFile } from './violation.mjs';

/**
 * Package → packages that its sources may import. Tests may import testkit as well.
 * @type {Record<string, string[]>}
 */
const ARROWS = {
  native: [],
  ethdev: ['native'],
  'vhost-user': ['native'],
  vhost: ['native', 'ethdev', 'vhost-user'],
  virtio: ['native', 'ethdev', 'vhost-user'],
  drivers: ['native', 'ethdev'],
  testpmd: ['native', 'ethdev', 'vhost-user', 'vhost', 'virtio', 'drivers'],
  testkit: ['native', 'ethdev', 'vhost-user', 'vhost', 'virtio', 'drivers'],
};

/** Engines know ports, never drivers. */
const ENGINES = { folder: 'packages/testpmd/src/engines/', mayImport: ['native', 'ethdev'] };

const REMEDY = 'move what both need below both (docs/architecture.md, section 2)';

export const name = 'direction-packages';

/** @param {string} root @returns {Promise<import('./violation.mjs').Result>} */
export async function check(root) {
  const violations = manifestViolations(root);
  for (const entry of await scriptImports(root, ['packages'])) {
    const { file, line } = entry;
    const message = wrong(file, importTarget(entry));
    if (message !== undefined) violations.push({ file, line, message, remedy: REMEDY });
  }
  return { violations };
}

/**
 * @param {string} file
 * @param {string} target
 * @returns {string | undefined} what is wrong
 */
function wrong(file, target) {
  const from = file.split('/')[1] ?? '';
  const to = /^@pollwire\/([\w-]+)/.exec(target)?.[1];
  if (to === undefined) {
    const leaves =
      /^(packages|native|test|tools|examples)\//.test(target) && !target.startsWith(`packages/${from}/`);
    return leaves ? `a relative import leaves the package (${target}): import by package name` : undefined;
  }
  const isEngine = file.startsWith(ENGINES.folder) && !isTestFile(file);
  const allowed = isEngine ? ENGINES.mayImport : (ARROWS[from] ?? []);
  if (to === from || allowed.includes(to) || (to === 'testkit' && isTestFile(file))) return undefined;
  return `${isEngine ? 'an engine' : from} must not import @pollwire/${to}`;
}

/** @param {string} root */
function manifestViolations(root) {
  /** @type {import('./violation.mjs').Violation[]} */
  const violations = [];
  for (const folder of packageNames(root)) {
    const file = `packages/${folder}/package.json`;
    if (!existsSync(join(root, file))) continue;
    const allowed = ARROWS[folder];
    if (allowed === undefined) {
      violations.push({
        file,
        line: 0,
        message: `${folder} is not in the table of packages`,
        remedy: `add it to ${import.meta.url.split('/').slice(-3).join('/')}`,
      });
      continue;
    }
    for (const dependency of Object.keys(readJson(join(root, file)).dependencies ?? {})) {
      const to = /^@pollwire\/(.+)$/.exec(dependency)?.[1];
      if (to === undefined || allowed.includes(to)) continue;
      violations.push({
        file,
        line: 0,
        message: `${folder} must not depend on ${dependency}`,
        remedy: REMEDY,
      });
    }
  }
  return violations;
}
