/** What the documents tell people to type is understood: options, devargs, and commands of the prompt. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Driver } from '@pollwire/ethdev';
import { DriverRegistry, parseArgs, parseDevargs, parseEalArgs } from '@pollwire/ethdev';
import { describe, expect, it } from 'vitest';
import { repoRoot } from '../harness/paths.js';
import { allBlocks, readDocument } from './markdown.js';
import { testpmdLines } from './shell.js';

// The parsers are not part of what testpmd exports.
const load = (file: string) => import(pathToFileURL(join(repoRoot, 'packages/testpmd/dist', file)).href);
const { parseOptions, OPTION_FAMILIES } = (await load(
  'options.js',
)) as typeof import('../../packages/testpmd/src/options.js');
const { parseLine } = (await load('grammar.js')) as typeof import('../../packages/testpmd/src/grammar.js');
const { BUILT_IN_DRIVERS } = (await load(
  'container.js',
)) as typeof import('../../packages/testpmd/src/container.js');
const { COMMANDS } = (await load(
  'commands/index.js',
)) as typeof import('../../packages/testpmd/src/commands/index.js');

const lines = allBlocks('sh').flatMap(testpmdLines);

async function registryFor(modules: readonly unknown[]): Promise<DriverRegistry> {
  const registry = new DriverRegistry();
  for (const driver of BUILT_IN_DRIVERS) registry.add(driver);
  for (const module of modules) {
    const loaded = (await import(pathToFileURL(join(repoRoot, String(module))).href)) as { default: Driver };
    registry.add(loaded.default);
  }
  return registry;
}

describe('command lines in the documents', () => {
  it('are there', () => {
    expect(lines.length).toBeGreaterThan(5);
  });

  it.each(lines.map(({ where, text, argv }) => [where, text, argv] as const))(
    '%s: %s',
    async (_where, _text, argv) => {
      const { options, rest } = parseEalArgs(argv);
      expect(() => parseOptions(rest)).not.toThrow();
      const registry = await registryFor(options.drivers ?? []);
      for (const vdev of options.vdevs ?? []) {
        const devargs = parseDevargs(String(vdev));
        expect(parseArgs(registry.find(devargs.name).args, devargs)).toBeDefined();
      }
    },
  );
});

describe('commands of the prompt in the documents', () => {
  const typed = allBlocks('text').flatMap(({ file, line, code }) =>
    code.split('\n').flatMap((text, i) => {
      const command = /^testpmd> (.+)$/.exec(text)?.[1];
      return command === undefined ? [] : [[`${file}:${line + i}`, command] as const];
    }),
  );

  it('are there', () => {
    expect(typed.length).toBeGreaterThan(20);
  });

  it.each(typed)('%s: %s', (_where, command) => {
    expect(parseLine(command, COMMANDS).kind).toBe('run');
  });
});

describe('options in docs/testpmd.md', () => {
  const page = readDocument('docs/testpmd.md');
  const known = new Set(OPTION_FAMILIES.flatMap(({ rows }) => rows.map(({ name }) => `--${name}`)));
  const named = [...new Set(page.match(/(?<=`)--[a-z][a-z0-9-]*/g) ?? [])];

  it.each(named)('%s exists', (option) => {
    // EAL options are known if their parser complains about a value at most.
    const isEal = () => {
      try {
        parseEalArgs([option]);
        return true;
      } catch (error) {
        return !(error as Error).message.startsWith('Unknown EAL option');
      }
    };
    expect(known.has(option) || isEal() || option.endsWith('-')).toBe(true);
  });

  it('leave out none that has an effect', () => {
    const effective = OPTION_FAMILIES.filter(({ title }) => title !== 'Offloads').flatMap(({ rows }) =>
      rows.filter((row) => row.apply !== undefined && !/^only \d is possible$/.test(row.help)),
    );
    const missing = effective.filter(
      ({ name, short }) => !page.includes(`--${name}`) && !page.includes(`\`-${short}\``),
    );
    expect(missing.map(({ name }) => name)).toEqual([]);
  });
});
