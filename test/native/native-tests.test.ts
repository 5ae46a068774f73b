// The C++ unit tests of native/test, one vitest test for each, on the flavours that check memory: the mbuf checks
// of `checked`, the sanitizers of `asan` (leaks included, since these programs hold no Node).
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { flavourDir } from '@pollwire/tools/lib/flavours';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

interface Outcome {
  result: 'COMPLETED' | 'SKIPPED' | 'SUPPRESSED';
  failures?: { failure: string }[];
}

const HOW = 'GoogleTest is not installed (apt-get install libgtest-dev, then npm test)';

describe.each(['checked', 'asan'] as const)('C++ unit tests, %s', (flavour) => {
  const program = join(flavourDir(flavour), 'native_tests');
  if (!existsSync(program)) {
    if (process.env.POLLWIRE_REQUIRE_PEERS === '1') it('are built', () => expect.fail(`${program}: ${HOW}`));
    else it.skip(`not built: ${HOW}`, () => {});
    return;
  }

  let folder = '';
  let output = '';
  let outcomes = new Map<string, Outcome>();

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pollwire-native-'));
    const report = join(folder, 'report.json');
    // Not synchronous: it takes minutes, and the test runner wants to hear from its worker meanwhile.
    const ran = spawn(program, [`--gtest_output=json:${report}`, '--gtest_color=no'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0',
        UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
      },
    });
    for (const stream of [ran.stdout, ran.stderr]) {
      stream.on('data', (chunk) => {
        output += String(chunk);
      });
    }
    const [status, signal] = await once(ran, 'close');
    output += `\nexit code ${status}, signal ${signal}`;
    if (existsSync(report)) outcomes = parseReport(report);
    // A failed test makes it 1 as well, and is told by its own line below; a crash or a leak is told here.
    if (status !== 0 && ![...outcomes.values()].some((outcome) => outcome.failures)) {
      throw new Error(`native_tests ended badly:\n${output}`);
    }
  });

  afterAll(() => {
    if (folder !== '') rmSync(folder, { recursive: true, force: true });
  });

  it.for(listTests(program))('%s', (name, context) => {
    const outcome = outcomes.get(name);
    expect(outcome, output).toBeDefined();
    if (outcome?.result === 'SKIPPED') context.skip();
    expect(outcome?.failures?.map(({ failure }) => failure).join('\n') ?? '').toBe('');
  });
});

/** Names as "Suite.Test". Disabled ones are left out, as the program does. */
function listTests(program: string): string[] {
  const listing = spawnSync(program, ['--gtest_list_tests'], { encoding: 'utf8' });
  if (listing.status !== 0) throw new Error(`${program} does not list its tests:\n${listing.stderr}`);
  let suite = '';
  return listing.stdout.split('\n').flatMap((line) => {
    const text = line.replace(/\s*#.*$/, '');
    if (/^\S+\.$/.test(text)) suite = text;
    const isTest = /^ {2}\S/.test(text) && !text.includes('DISABLED_');
    return isTest ? [suite + text.trim()] : [];
  });
}

function parseReport(path: string): Map<string, Outcome> {
  const { testsuites } = JSON.parse(readFileSync(path, 'utf8')) as {
    testsuites: { name: string; testsuite: ({ name: string } & Outcome)[] }[];
  };
  return new Map(
    testsuites.flatMap((suite) =>
      suite.testsuite.map((test) => [`${suite.name}.${test.name}`, test] as [string, Outcome]),
    ),
  );
}
