/**
 * Where things are in the checkout. The harness runs compiled (test/dist/harness) and nothing here depends on how deep
 * that is: the root is the nearest folder above that holds the workspace file.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function findRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'pnpm-workspace.yaml'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('pnpm-workspace.yaml not found above the test harness');
    folder = parent;
  }
  return folder;
}

/** Absolute path of the repository. */
export const repoRoot: string = findRoot();

/** Folder of the guest scripts (kernel.sh, initrd.sh, pack.sh, lib.sh). */
export const guestTools: string = join(repoRoot, 'tools', 'guest');

/** First executable called `name` on PATH (with the sbin folders that Debian leaves out for users), or undefined. */
export function findProgram(name: string): string | undefined {
  const folders = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`.split(':');
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}
