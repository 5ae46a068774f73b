/** The command lines of the documents that start testpmd, as argument lists. Used by command-lines.test.ts. */
import type { CodeBlock } from './markdown.js';

export interface CommandLine {
  /** `docs/x.md:12` */
  where: string;
  text: string;
  /** Arguments behind the program. */
  argv: string[];
}

/** Ways to start testpmd; what follows is its command line. */
const PROGRAMS = [/^(?:npx )?testpmd /, /^npm start -- /, /^node packages\/testpmd\/bin\/testpmd\.mjs /];

/** Words of a simple command: quotes as in sh, no expansion, a comment ends it. */
export function shellWords(text: string): string[] {
  const words: string[] = [];
  let rest = text.trim();
  while (rest !== '' && !rest.startsWith('#') && rest !== '&') {
    let word = '';
    for (;;) {
      const part = /^(?:'([^']*)'|"([^"]*)"|\\(.)|([^\s'"\\]+))/.exec(rest);
      if (part === null) break;
      word += part[1] ?? part[2] ?? part[3] ?? part[4] ?? '';
      rest = rest.slice(part[0].length);
    }
    words.push(word);
    rest = rest.trimStart();
  }
  return words;
}

/** Lines of a block that start testpmd, continuation lines joined. */
export function testpmdLines(block: CodeBlock): CommandLine[] {
  const found: CommandLine[] = [];
  const lines = block.code.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const line = block.line + i;
    let text = lines[i] as string;
    while (text.endsWith('\\')) text = `${text.slice(0, -1)}${lines[++i] ?? ''}`;
    const program = PROGRAMS.find((pattern) => pattern.test(text));
    if (program === undefined) continue;
    found.push({ where: `${block.file}:${line}`, text, argv: shellWords(text.replace(program, '')) });
  }
  return found;
}
