import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Scope } from './scope.js';
import { DeadlineError, waitUntil } from './wait.js';

function shell(scope: Scope, script: string) {
  return scope.start({ name: 'child', command: 'sh', args: ['-c', script] });
}

async function withScope(body: (scope: Scope) => Promise<void>): Promise<void> {
  const scope = new Scope();
  try {
    await body(scope);
  } finally {
    await scope.close();
  }
}

/** Ended; its parent may not have collected it yet. */
function gone(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

describe('managed processes', () => {
  test('both outputs come in order, without control sequences', () =>
    withScope(async (scope) => {
      const child = shell(
        scope,
        'for i in 1 2 3; do echo out$i; echo err$i >&2; done; printf "\\033[2Jend\\r\\n"; cat',
      );
      await child.waitFor(/end\n/, 5000);
      expect(child.text).toBe('out1\nerr1\nout2\nerr2\nout3\nerr3\nend\n');
      child.write('echo\n');
      const match = await child.waitFor(/echo/, 5000);
      expect(match.index).toBe(child.text.length - 'echo\n'.length);
    }));

  test('waitFor says what it waited for, or that the process ended', () =>
    withScope(async (scope) => {
      const child = shell(scope, 'cat');
      await expect(child.waitFor(/never/, 50)).rejects.toThrow(DeadlineError);
      const ended = shell(scope, 'echo bye; exit 3');
      await expect(ended.waitFor(/never/, 5000)).rejects.toThrow('child ended (status 3) before /never/');
      expect(await ended.exited).toEqual({ code: 3, signal: null });
      const absent = scope.start({ name: 'absent', command: '/nowhere/program', args: [] });
      expect((await absent.exited).code).toBe(127);
    }));

  test('closing the scope ends the whole group, also one that ignores SIGTERM, and removes the folder', async () => {
    const scope = new Scope();
    const stubborn = scope.start({
      name: 'stubborn',
      command: 'sh',
      args: ['-c', 'trap "" TERM; sleep 100 & echo pid $!; wait; sleep 100'],
    });
    const grandchild = Number((await stubborn.waitFor(/pid (\d+)\n/, 5000))[1]);
    const stopped = stubborn.stop(200);
    expect((await stopped).signal).toBe('SIGKILL');
    await waitUntil('grandchild gone', 5000, () => gone(grandchild));
    await scope.close();
    expect(existsSync(scope.dir)).toBe(false);
  });

  test('descriptors and memory of a live process can be counted', () =>
    withScope(async (scope) => {
      const child = shell(
        scope,
        'exec 7</dev/null; echo ready; read line; exec 7<&-; echo closed; read line',
      );
      await child.waitFor(/ready/, 5000);
      const open = child.fdCount();
      expect(child.fdTargets()).toContain('/dev/null');
      expect(child.mapCount()).toBeGreaterThan(5);
      expect(child.rssKiB()).toBeGreaterThan(100);
      child.write('go\n');
      await child.waitFor(/closed/, 5000);
      expect(child.fdCount()).toBe(open - 1);
    }));

  test.each(['exit', 'kill'])('a runner that ends by %s takes its children along', async (how) => {
    const url = pathToFileURL(join(import.meta.dirname, 'process.js')).href;
    const end = how === 'exit' ? 'process.exit(0)' : 'process.kill(process.pid, "SIGKILL")';
    const runner = spawnSync(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `const { ManagedProcess } = await import(${JSON.stringify(url)});
         const child = ManagedProcess.start({ name: 'c', command: 'sh', args: ['-c', 'echo up; exec sleep 100'] });
         await child.waitFor(/up/, 5000);
         console.log(child.pid);
         ${end};`,
      ],
      { encoding: 'utf8' },
    );
    const pid = Number(runner.stdout.trim());
    expect(pid).toBeGreaterThan(0);
    await waitUntil('child gone', 5000, () => gone(pid));
  });

  test('the failure report names commands and shows the ends of their logs', () =>
    withScope(async (scope) => {
      const child = shell(scope, 'for i in 1 2 3 4 5; do echo line $i; done');
      await child.exited;
      scope.onReport(() => '--- guest console\nPanic');
      const report = scope.report(2);
      expect(report).toContain(`--- child (pid ${child.pid}): sh -c`);
      expect(report).toContain('line 4\nline 5\n--- guest console\nPanic');
      expect(report).not.toContain('line 3\n');
    }));
});
