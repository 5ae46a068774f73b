/** `help`: sections, and each command of a section with what it does, from the command table itself. */
import type { Command, Section } from '../grammar.js';
import { kw, pick, SECTIONS, usageOf } from '../grammar.js';
import type { CommandContext } from './context.js';
import { define } from './context.js';

const NAMES = Object.keys(SECTIONS) as Section[];

function overview(): string {
  const rows = NAMES.map((name) => `    help ${name.padEnd(26)} : ${SECTIONS[name]}`);
  return [
    '',
    'Help is available for the following sections:',
    '',
    ...rows,
    `    help ${'all'.padEnd(26)} : Everything.`,
    '',
    '',
  ].join('\n');
}

function sectionHelp(name: Section, commands: readonly Command<CommandContext>[]): string {
  const title = `${name[0]?.toUpperCase()}${name.slice(1)}:`;
  const rows = commands
    .filter((one) => one.section === name)
    .map((one) => `${usageOf(one.words)}\n    ${one.help}\n`);
  return ['', title, '-'.repeat(title.length), '', ...rows, ''].join('\n');
}

/** @param commands the whole table; a function, because help is part of it */
export function helpCommands(commands: () => readonly Command<CommandContext>[]): Command<CommandContext>[] {
  return [
    define({
      words: [kw('help')],
      section: 'control',
      help: 'List the sections of help.',
      run: (_args, app) => app.out.write(overview()),
    }),
    define({
      words: [kw('help'), pick('section', [...NAMES, 'all'])],
      section: 'control',
      help: 'Show the commands of a section.',
      run: ({ section }, app) => {
        const wanted = section === 'all' ? NAMES : [section as Section];
        app.out.write(wanted.map((name) => sectionHelp(name, commands())).join(''));
      },
    }),
  ];
}
