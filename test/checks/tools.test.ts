// The parts of the tools that decide something: when a step is stale, who may build, what counts as failed.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeOrphans } from '@pollwire/tools/lib/dist';
import { fingerprint } from '@pollwire/tools/lib/fingerprint';
import { withLock } from '@pollwire/tools/lib/lock';
import { isOlder } from '@pollwire/tools/lib/requirements';
import { countReport, vitestArguments, wantsFlavour } from '@pollwire/tools/lib/vitest-run';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pollwire-tools-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (path: string, text = '') => {
  mkdirSync(join(folder, path, '..'), { recursive: true });
  writeFileSync(join(folder, path), text);
};

function deferred() {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

describe('fingerprint', () => {
  it('changes with contents, names and options, and with nothing else', () => {
    write('a', 'one');
    write('b', 'one');
    const first = fingerprint(folder, ['a'], ['x']);
    write('a', 'one');
    expect(fingerprint(folder, ['a'], ['x'])).toBe(first);
    expect(fingerprint(folder, ['b'], ['x'])).not.toBe(first);
    expect(fingerprint(folder, ['a'], ['y'])).not.toBe(first);
    write('a', 'two');
    expect(fingerprint(folder, ['a'], ['x'])).not.toBe(first);
  });
});

describe('withLock', () => {
  it('lets one in at a time, and the next when the first has left', async () => {
    const events: string[] = [];
    const [entered, waiting, leave] = [deferred(), deferred(), deferred()];
    const first = withLock(
      async () => {
        events.push('first in');
        entered.resolve();
        await leave.promise;
        events.push('first out');
      },
      () => events.push('first waits'),
      folder,
    );
    await entered.promise;
    const second = withLock(
      async () => events.push('second in'),
      () => {
        events.push('second waits');
        waiting.resolve();
      },
      folder,
    );
    await waiting.promise;
    leave.resolve();
    await Promise.all([first, second]);
    expect(events).toEqual(['first in', 'second waits', 'first out', 'second in']);
  });

  it('is released when the work throws', async () => {
    const fail = withLock(
      () => Promise.reject(new Error('no')),
      () => {},
      folder,
    );
    await expect(fail).rejects.toThrow('no');
    await expect(
      withLock(
        async () => 'in',
        () => {},
        folder,
      ),
    ).resolves.toBe('in');
  });
});

describe('removeOrphans', () => {
  it('deletes the output of a deleted source and nothing else', () => {
    write('packages/native/src/kept.ts');
    for (const name of [
      'kept.js',
      'kept.d.ts',
      'gone.test.js',
      'gone.test.js.map',
      'gone.test.d.ts',
      'tsconfig.tsbuildinfo',
    ]) {
      write(`packages/native/dist/${name}`);
    }
    expect(removeOrphans(folder).sort()).toEqual(
      ['gone.test.d.ts', 'gone.test.js', 'gone.test.js.map'].map((name) => `packages/native/dist/${name}`),
    );
  });
});

describe('the summary', () => {
  const report = () => join(folder, 'report.json');

  it('counts as failures a file that could not be loaded and a test whose worker died', () => {
    write(
      'report.json',
      JSON.stringify({
        testResults: [
          {
            status: 'passed',
            assertionResults: [{ status: 'passed' }, { status: 'skipped' }, { status: 'todo' }],
          },
          { status: 'failed', assertionResults: [{ status: 'failed' }, { status: 'passed' }] },
          { status: 'failed', assertionResults: [] },
          { status: 'passed', assertionResults: [{ status: 'pending' }] },
        ],
      }),
    );
    expect(countReport(report())).toEqual({ passed: 2, failed: 3, skipped: 2 });
  });

  it('removes the report of an earlier run, so that a crash does not show old counts', () => {
    write(
      'report.json',
      JSON.stringify({ testResults: [{ status: 'passed', assertionResults: [{ status: 'passed' }] }] }),
    );
    vitestArguments([], report());
    expect(countReport(report())).toEqual({ passed: 0, failed: 0, skipped: 0 });
  });
});

describe('arguments of npm test', () => {
  it('turns sources into the compiled files that vitest runs', () => {
    const args = ['packages/ethdev/src/port.test.ts', 'test/interop/ping.test.ts', '--project', 'unit'];
    expect(vitestArguments(args, join(folder, 'r')).slice(-4)).toEqual([
      'packages/ethdev/dist/port.test.js',
      'test/dist/interop/ping.test.js',
      '--project',
      'unit',
    ]);
  });

  it.each([
    [[], true],
    [['--project', 'unit'], false],
    [['--project=asan'], true],
    [['--project', 'unit', '--project', 'asan'], true],
    [['--project', '!interop'], true],
  ])('%j needs the asan flavour: %s', (args, needed) => {
    expect(wantsFlavour(args, ['asan'])).toBe(needed);
  });
});

describe('isOlder', () => {
  it.each([
    ['20.18.3', true],
    ['20.19.0', false],
    ['22.0.0', false],
    ['18.20.0', true],
    ['20', true],
  ])('%s', (version, older) => expect(isOlder(version, [20, 19])).toBe(older));
});
