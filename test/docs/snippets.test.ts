/** TypeScript in the documents compiles against the packages as they are, and copies of files are copies. */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repoRoot } from '../harness/paths.js';
import type { CodeBlock } from './markdown.js';
import { allBlocks } from './markdown.js';

/** What a snippet may use without declaring it, as the text around it does. */
const PRELUDE = `
import type { Burst, Eal, Mempool, Port } from '@pollwire/ethdev';
declare global {
  const eal: Eal;
  const port: Port;
  const pool: Mempool;
  const burst: Burst;
}
`;

const CONFIG = {
  extends: join(repoRoot, 'tsconfig.base.json'),
  compilerOptions: {
    rootDir: '.',
    noEmit: true,
    composite: false,
    incremental: false,
    tsBuildInfoFile: null,
    declaration: false,
    declarationMap: false,
    sourceMap: false,
    // A snippet shows names that the next one would use.
    noUnusedLocals: false,
  },
  include: ['./*.ts'],
};

const blocks = allBlocks('ts');
const nameOf = ({ file, line }: CodeBlock) => `${file.replace(/[/.]/g, '-')}-${line}.ts`;

describe('TypeScript in the documents', () => {
  const dir = mkdtempSync(join(tmpdir(), 'pw-docs-'));
  let diagnostics: string[] = [];

  beforeAll(() => {
    mkdirSync(join(dir, 'node_modules'));
    symlinkSync(join(repoRoot, 'test/node_modules/@pollwire'), join(dir, 'node_modules/@pollwire'));
    symlinkSync(join(repoRoot, 'node_modules/@types'), join(dir, 'node_modules/@types'));
    writeFileSync(join(dir, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify(CONFIG));
    writeFileSync(join(dir, 'prelude.ts'), PRELUDE);
    // A page about an example may import it.
    const examples = readdirSync(join(repoRoot, 'examples')).filter((name) =>
      /^(custom|macswap).*\.ts$/.test(name),
    );
    for (const name of examples) copyFileSync(join(repoRoot, 'examples', name), join(dir, name));
    for (const block of blocks) {
      // Blank lines in front keep the line numbers of the document; the export makes a module of every block.
      const text = `${'\n'.repeat(block.line - 1)}${block.code}export {};\n`;
      writeFileSync(join(dir, nameOf(block)), text);
    }
    const tsc = join(repoRoot, 'node_modules/typescript/lib/tsc.js');
    const run = spawnSync(process.execPath, [tsc, '-p', dir, '--pretty', 'false'], {
      encoding: 'utf8',
      cwd: dir,
    });
    diagnostics = run.stdout.split('\n').filter((line) => line !== '');
    if (run.status !== 0 && diagnostics.length === 0) throw new Error(`tsc failed: ${run.stderr}`);
  }, 110_000);

  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it('is there', () => {
    expect(blocks.length).toBeGreaterThan(15);
  });

  it.each(blocks.map((block) => [`${block.file}:${block.line}`, block] as const))(
    '%s compiles',
    (_where, block) => {
      expect(diagnostics.filter((text) => text.startsWith(nameOf(block)))).toEqual([]);
    },
  );

  it('has no other diagnostics', () => {
    const known = blocks.map(nameOf);
    expect(diagnostics.filter((text) => !known.some((name) => text.startsWith(name)))).toEqual([]);
  });

  const copies = blocks.filter(({ copyOf }) => copyOf !== undefined);

  it('copies the program of the README from the examples', () => {
    expect(copies.filter(({ file }) => file === 'README.md').map(({ copyOf }) => copyOf)).toEqual([
      'examples/count-packets.ts',
    ]);
  });

  it.each(copies.map((block) => [`${block.file}:${block.line}`, block] as const))(
    '%s is the file it names',
    (_where, block) => {
      expect(block.code).toBe(readFileSync(join(repoRoot, block.copyOf as string), 'utf8'));
    },
  );
});
