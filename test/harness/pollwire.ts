/** Starts our own testpmd with the command line shape of DPDK's. */
import { join } from 'node:path';
import { repoRoot } from './paths.js';
import type { Scope } from './scope.js';
import type { TestpmdOptions } from './testpmd-options.js';
import { applicationArgs, lcoreArgs, uniquePrefix } from './testpmd-options.js';
import { TestpmdSession } from './testpmd-session.js';

/** Starts packages/testpmd in the scope and waits for its prompt. */
export async function startPollwire(scope: Scope, options: TestpmdOptions): Promise<TestpmdSession> {
  const child = scope.start({
    name: options.name,
    command: process.execPath,
    args: [
      join(repoRoot, 'packages', 'testpmd', 'bin', 'testpmd.mjs'),
      ...lcoreArgs(options),
      '--in-memory',
      ...(options.hugepages === true ? [] : ['--no-huge']),
      '-m',
      String(options.memoryMiB ?? 300),
      '--no-pci',
      `--file-prefix=${uniquePrefix()}`,
      ...options.vdevs.flatMap((vdev) => ['--vdev', vdev]),
      ...(options.ealArgs ?? []),
      '--',
      ...applicationArgs(options),
    ],
  });
  return TestpmdSession.open(child);
}
