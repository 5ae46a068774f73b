/** What every command acts on. */
import type { ArgsOf, Command, Section, Token } from '../grammar.js';
import { command } from '../grammar.js';
import type { Session } from '../session.js';
import type { Testpmd } from '../testpmd.js';

export interface CommandContext {
  app: Testpmd;
  session: Session;
}

/** `command` of the grammar for this application. */
export function define<const W extends readonly Token[]>(definition: {
  words: W;
  section: Section;
  help: string;
  run: (args: ArgsOf<W>, app: Testpmd, session: Session) => void | Promise<void>;
}): Command<CommandContext> {
  const { words, section, help, run } = definition;
  return command<CommandContext, W>({
    words,
    section,
    help,
    run: (args, { app, session }) => run(args, app, session),
  });
}

/** `Invalid port 9` and the list of valid ones, as display commands answer. */
export function refusePort(app: Testpmd, port: number): void {
  app.out.error(`Invalid port ${port}`);
  app.out.write(`The valid ports array is ${app.validPorts()}\n`);
}
