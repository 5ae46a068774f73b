// The gate of CI: what it calls a regression, and that noise alone does not make one.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gateCells } from '@pollwire/tools/bench/cells';
import { differences, gateTable, judge, passes, RECORDED, verdictOf } from '@pollwire/tools/bench/gate';
import { describe, expect, it } from 'vitest';
import { repoRoot } from '../harness/paths.js';

/** Answers with the given ratios, one after the other. */
function measured(...ratios: number[]) {
  let calls = 0;
  const ratio = () => Promise.resolve(ratios[calls++] ?? Number.NaN);
  return { ratio, calls: () => calls };
}

describe('the gate', () => {
  it.each([
    [2, 1.6, true],
    [2, 1.59, false],
    [2, 5, true],
    [undefined, 0.1, true],
  ])('recorded %s, now %d: passes %s', (recorded, now, ok) => expect(passes(recorded, now)).toBe(ok));

  it('measures a good cell once', async () => {
    const { ratio, calls } = measured(1.9);
    expect(await judge(2, ratio)).toEqual({ now: 1.9, passed: true, repeated: false });
    expect(calls()).toBe(1);
  });

  it('measures a bad one again and takes the better of the two', async () => {
    expect(await judge(2, measured(0.5, 2.1).ratio)).toEqual({ now: 2.1, passed: true, repeated: true });
    expect(await judge(2, measured(1.5, 0.5).ratio)).toEqual({ now: 1.5, passed: false, repeated: true });
  });

  it('measures again what could not be measured, once', async () => {
    let calls = 0;
    const second = () => (calls++ === 0 ? Promise.reject(new Error('no prompt')) : Promise.resolve(2));
    expect(await judge(2, second)).toEqual({ now: 2, passed: true, repeated: true });
    await expect(judge(2, () => Promise.reject(new Error('no prompt')))).rejects.toThrow('no prompt');
  });

  it('shows what regressed', () => {
    const text = gateTable([
      { cell: 'a', recorded: 2, now: 1, passed: false },
      { cell: 'b', recorded: undefined, now: 1, passed: true },
    ]);
    expect(text).toMatch(/^\| a +\| +2\.00 \| +1\.00 \| +50 % \| REGRESSED \|$/m);
    expect(text).toMatch(/^\| b +\| +\| +1\.00 \| +\| +ok \|$/m);
  });

  it('says what differs from the machine of the recording', () => {
    const here = { cpu: 'a', kernel: '1', node: '2', dpdk: '3', commit: '4', load: 0, memory: 'hugepages' };
    expect(differences(here, { ...here, commit: '5', load: 3 })).toEqual([]);
    expect(differences(here, { ...here, cpu: 'b' })).toEqual(['cpu was a and is b']);
  });

  it('fails on a machine like the recorded one only', () => {
    expect(verdictOf(0, [])).toEqual({ passed: true, text: 'passed' });
    expect(verdictOf(0, ['cpu was a and is b']).passed).toBe(true);
    expect(verdictOf(2, [])).toEqual({
      passed: false,
      text: '2 cells below 0.8 of the recorded ratio, twice each',
    });
    const elsewhere = verdictOf(1, ['cpu was a and is b']);
    expect(elsewhere.passed).toBe(true);
    expect(elsewhere.text).toContain('cpu was a and is b');
  });

  it('has a recorded ratio for each of its cells, and where it comes from', () => {
    const { context, ratios } = JSON.parse(readFileSync(RECORDED, 'utf8'));
    expect(Object.keys(ratios).sort()).toEqual(
      gateCells()
        .map(({ name }) => name)
        .sort(),
    );
    expect(Object.keys(context)).toEqual(expect.arrayContaining(['commit', 'cpu', 'kernel', 'node', 'dpdk']));
  });
});

describe('npm run bench where dpdk-testpmd is missing', () => {
  const run = (require: string, ...args: string[]) => {
    const env = {
      ...process.env,
      POLLWIRE_REQUIRE_PEERS: require,
      POLLWIRE_DPDK_TESTPMD: '/nonexistent/dpdk-testpmd',
    };
    const script = join(repoRoot, 'tools/bench.mjs');
    return spawnSync(process.execPath, [script, ...args], { encoding: 'utf8', env });
  };

  it.each([
    ['0', ['--gate'], 0],
    ['1', ['--gate'], 1],
    ['0', ['--quick'], 1],
  ] as const)('POLLWIRE_REQUIRE_PEERS=%s %j ends with %d and the remedy', (require, args, code) => {
    const { status, stderr } = run(require, ...args);
    expect(stderr).toContain(
      'There is no /nonexistent/dpdk-testpmd to measure against: apt-get install dpdk',
    );
    expect(status).toBe(code);
  });

  it('and a wrong option is one line', () => {
    expect(run('0', '--speed').stderr).toMatch(/^npm run bench: Unknown option '--speed'[^\n]*\n$/);
  });
});
