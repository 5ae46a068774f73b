/** What a vhost port costs before the first packet: time until its socket is there, and memory beside the arena. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { repoRoot } from '../harness/paths.js';
import { Scope } from '../harness/scope.js';
import { waitUntil } from '../harness/wait.js';

const START_LIMIT_MS = 1000;
const MEMORY_LIMIT_MIB = 120;
/** Machines are shared: the best start counts. */
const TRIES = 5;

/** Resident memory of a process without the arena, which is shared memory, in MiB. */
function residentBesideArena(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN);
  return (field('RssAnon') + field('RssFile')) / 1024;
}

it('has its socket within a second, and little memory beside the arena', async () => {
  let best = Number.POSITIVE_INFINITY;
  let memory = Number.POSITIVE_INFINITY;
  for (let i = 0; i < TRIES && best > START_LIMIT_MS / 2; i++) {
    const scope = new Scope();
    try {
      const socket = scope.path('start.sock');
      const begin = performance.now();
      const child = scope.start({
        name: `start ${i}`,
        command: process.execPath,
        args: [
          join(repoRoot, 'packages', 'testpmd', 'bin', 'testpmd.mjs'),
          ...['-l', '0,1', '--no-huge', '--vdev', `net_vhost0,iface=${socket}`, '--', '-i', '--auto-start'],
        ],
        env: { POLLWIRE_FLAVOUR: 'release' },
      });
      await waitUntil('the socket', 10_000, () => existsSync(socket), 5);
      best = Math.min(best, performance.now() - begin);
      await child.waitFor(/testpmd> /, 10_000);
      memory = Math.min(memory, residentBesideArena(child.pid));
    } finally {
      await scope.close();
    }
  }
  expect(best).toBeLessThan(START_LIMIT_MS);
  expect(memory).toBeLessThan(MEMORY_LIMIT_MIB);
});
