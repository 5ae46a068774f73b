/** The code blocks of the project's Markdown files, with where they stand. Used by the tests beside it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repoRoot } from '../harness/paths.js';

export interface CodeBlock {
  /** Path from the root. */
  file: string;
  /** Line of the first line of code, from 1. */
  line: number;
  /** 'ts', 'sh', 'text', … or ''. */
  language: string;
  code: string;
  /** The file that the block is a copy of: `<!-- file: examples/x.ts -->` on the line before it. */
  copyOf: string | undefined;
}

/** README.md, docs, and the READMEs of examples and packages, from the root. */
export function documents(): string[] {
  const below = (folder: string) =>
    readdirSync(join(repoRoot, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md') && !name.startsWith('api/'))
      .map((name) => `${folder}/${name}`);
  const packages = readdirSync(join(repoRoot, 'packages')).map((name) => `packages/${name}/README.md`);
  return ['README.md', 'examples/README.md', ...below('docs'), ...packages].sort();
}

export function readDocument(file: string): string {
  return readFileSync(join(repoRoot, file), 'utf8');
}

/** Every fenced block of a document. */
export function codeBlocks(file: string, text = readDocument(file)): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  const lines = text.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const language = /^```(\w*)$/.exec(lines[i] as string)?.[1];
    if (language === undefined) continue;
    const end = lines.indexOf('```', i + 1);
    if (end < 0) throw new Error(`${file}:${i + 1}: this code block is never closed`);
    const copyOf = /^<!-- file: (\S+) -->$/.exec(lines[i - 1] ?? '')?.[1];
    const code = `${lines.slice(i + 1, end).join('\n')}\n`;
    blocks.push({ file, line: i + 2, language, code, copyOf });
    i = end;
  }
  return blocks;
}

/** All blocks of all documents in some languages. */
export function allBlocks(...languages: string[]): CodeBlock[] {
  return documents()
    .flatMap((file) => codeBlocks(file))
    .filter(({ language }) => languages.includes(language));
}

/** Cells of the rows of a table whose header row begins with `first`, without code marks. Throws when there is none. */
export function tableRows(file: string, first: string): string[][] {
  const lines = readDocument(file).split('\n');
  const header = lines.findIndex((line) => line.startsWith(`| ${first} |`));
  if (header < 0) throw new Error(`${file} has no table that begins with "${first}"`);
  const rows = [];
  for (const line of lines.slice(header + 2)) {
    if (!line.startsWith('|')) break;
    const cells = line.split('|').slice(1, -1);
    rows.push(cells.map((cell) => cell.trim().replaceAll('`', '')));
  }
  return rows;
}
