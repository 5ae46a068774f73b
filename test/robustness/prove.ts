/** Runs the three kinds of proof in child processes and says what became of each. Used by run.ts. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { flavourDir } from '@pollwire/tools/lib/flavours';
import { repoRoot } from '../harness/paths.js';
import type { SocketCase } from './case.js';
import type { Format, Proof } from './row.js';
import { formatsOf, nameOf } from './run-case.js';

/** '' when the proof holds, else what is wrong. */
export type Verdict = (proof: Proof) => string;

interface GtestReport {
  testsuites: {
    name: string;
    testsuite: { name: string; result: string; failures?: { failure: string }[] }[];
  }[];
}

interface VitestReport {
  testResults: {
    name: string;
    message?: string;
    assertionResults: { fullName: string; status: string; failureMessages?: string[] }[];
  }[];
}

/** Runs the C++ tests that match any of `patterns`, on the checked flavour. */
export async function runCpp(patterns: readonly string[]): Promise<Verdict> {
  if (patterns.length === 0) return () => 'was not run';
  const program = join(flavourDir('checked'), 'native_tests');
  if (!existsSync(program)) {
    return () => 'not built: GoogleTest is not installed (apt-get install libgtest-dev)';
  }
  const report = await withReport<GtestReport>((path) => [
    program,
    `--gtest_filter=${patterns.join(':')}`,
    `--gtest_output=json:${path}`,
  ]);
  if (report === undefined)
    return () => 'the C++ tests ended without a report: one of them ended the process';
  const tests = report.testsuites.flatMap((suite) =>
    suite.testsuite.map(({ name, failures }) => ({
      name: `${suite.name}.${name}`,
      problem: failures?.map(({ failure }) => failure).join('\n') ?? '',
    })),
  );
  return ({ name }) => {
    const pattern = new RegExp(`^${name.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*')}$`);
    const own = tests.filter((test) => pattern.test(test.name));
    return own.length === 0 ? 'there is no such test' : own.map(({ problem }) => problem).join('');
  };
}

/** Runs the files of unit tests that hold the proofs. */
export async function runUnits(proofs: readonly Proof[]): Promise<Verdict> {
  if (proofs.length === 0) return () => 'was not run';
  const files = [...new Set(proofs.map(({ file }) => `dist/${file}.js`))];
  const vitest = join(repoRoot, 'node_modules', 'vitest', 'vitest.mjs');
  const report = await withReport<VitestReport>((path) => [
    process.execPath,
    vitest,
    'run',
    '--project=unit',
    '--reporter=json',
    `--outputFile=${path}`,
    ...files,
  ]);
  if (report === undefined) return () => 'the unit tests ended without a report';
  return ({ file, name }) => {
    const own = report.testResults
      .filter((result) => result.name.endsWith(`/${file}.js`))
      .flatMap(({ assertionResults }) => assertionResults)
      .filter(({ fullName }) => fullName.includes(name));
    if (own.length === 0) return 'there is no such test';
    return own
      .map(({ status, failureMessages = [] }) =>
        status === 'passed' ? '' : failureMessages.join('\n') || status,
      )
      .join('');
  };
}

export interface SocketResult {
  readonly test: SocketCase;
  readonly format: Format;
  readonly problem: string;
}

/** Runs cases of the socket harness. A case that ends the process has failed; the others are run in a new one. */
export async function runSocket(cases: readonly SocketCase[]): Promise<SocketResult[]> {
  const runs = cases.flatMap((test) =>
    formatsOf(test).map((format) => ({ test, format, name: nameOf(test, format) })),
  );
  const problems = new Map<string, string>();
  for (;;) {
    const left = runs.map(({ name }) => name).filter((name) => !problems.has(name));
    if (left.length === 0) break;
    const ended = await runChild(left, problems);
    if (ended !== '') problems.set(ended, 'it ended the process');
    else for (const name of left) if (!problems.has(name)) problems.set(name, 'was not run');
  }
  return runs.map(({ test, format, name }) => ({
    test,
    format,
    problem: problems.get(name) ?? 'was not run',
  }));
}

/** Returns the case during which the child ended, or ''. */
async function runChild(names: readonly string[], problems: Map<string, string>): Promise<string> {
  const program = join(repoRoot, 'test', 'dist', 'robustness', 'socket-child.js');
  const child = spawn(process.execPath, ['--enable-source-maps', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(JSON.stringify(names));
  let current = '';
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as { begins?: string; name?: string; problem?: string };
    if (said.begins !== undefined) current = said.begins;
    if (said.name === undefined) continue;
    problems.set(said.name, said.problem ?? '');
    current = '';
  }
  return current;
}

/** Runs a command that writes a JSON report into a file; undefined when there is none afterwards. */
async function withReport<T>(command: (path: string) => readonly string[]): Promise<T | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'pw-hostile-report-'));
  try {
    const path = join(folder, 'report.json');
    const [program, ...args] = command(path) as [string, ...string[]];
    const child = spawn(program, args, { cwd: repoRoot, stdio: 'ignore' });
    await once(child, 'close');
    return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as T) : undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
