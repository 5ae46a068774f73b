// @ts-check
// Which file in a dist/ folder belongs to which source, and the removal of those that belong to none: vitest
// runs compiled files, so the output of a deleted test would run for ever. Called by typescript.mjs.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { packageNames, ROOT } from './paths.mjs';

const OUTPUT = /(\.d\.ts|\.js)(\.map)?$/;

/**
 * Every dist folder with the folder of its sources, from the root.
 * @param {string} root
 */
function distFolders(root) {
  return [
    ...packageNames(root).map((name) => ({ dist: `packages/${name}/dist`, src: `packages/${name}/src` })),
    { dist: 'test/dist', src: 'test' },
    { dist: 'examples/dist', src: 'examples' },
  ];
}

/**
 * The JavaScript that a TypeScript source becomes; nothing for other files.
 * @param {string} source from the root
 * @returns {string[]}
 */
export function expectedOutputs(source) {
  if (!source.endsWith('.ts') || source.endsWith('.d.ts')) return [];
  for (const { dist, src } of distFolders(ROOT)) {
    if (source.startsWith(`${src}/`)) return [`${dist}${source.slice(src.length, -'.ts'.length)}.js`];
  }
  return [];
}

/**
 * Deletes outputs whose source no longer exists.
 * @param {string} [root]
 * @returns {string[]} what was deleted, from the root
 */
export function removeOrphans(root = ROOT) {
  const removed = [];
  for (const { dist, src } of distFolders(root)) {
    if (!existsSync(join(root, dist))) continue;
    for (const entry of readdirSync(join(root, dist), { recursive: true, encoding: 'utf8' })) {
      if (!OUTPUT.test(entry)) continue;
      if (existsSync(join(root, src, entry.replace(OUTPUT, '.ts')))) continue;
      rmSync(join(root, dist, entry), { force: true });
      removed.push(`${dist}/${entry}`);
    }
  }
  return removed;
}
