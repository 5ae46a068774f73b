/** Runs command lines on the application, one after the other, and answers what is not a command as DPDK does. Used by prompt and files. */
import { readFileSync } from 'node:fs';
import { COMMANDS } from './commands/index.js';
import { messageOf } from './errors.js';
import { completeLine, parseLine } from './grammar.js';
import type { Testpmd } from './testpmd.js';

export const PROMPT = 'testpmd> ';

export class Session {
  constructor(readonly app: Testpmd) {}

  /** Runs one line. Errors are printed, never thrown. */
  async run(line: string): Promise<void> {
    const { app } = this;
    const parsed = parseLine(line, COMMANDS);
    if (parsed.kind === 'unknown') app.out.write('Command not found\n');
    else if (parsed.kind === 'bad') app.out.write('Bad arguments\n');
    else if (parsed.kind === 'run') {
      try {
        await parsed.command.run(parsed.args, { app, session: this });
      } catch (error) {
        app.out.error(messageOf(error));
      }
    }
  }

  /** Runs the lines of a file; with `echo` each is printed as if typed. @returns false when the file cannot be read. */
  async runFile(path: string, echo: boolean): Promise<boolean> {
    const { out, quitSignal } = this.app;
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      out.error(`Failed to create file based cmdline context: ${path}: ${messageOf(error)}`);
      return false;
    }
    for (const line of text.split(/\r?\n/)) {
      if (quitSignal.aborted) break;
      if (echo && line !== '') out.write(`${PROMPT}${line}\n`);
      await this.run(line);
    }
    out.write(`Read CLI commands from ${path}\n`);
    return true;
  }

  /** For readline. */
  complete(line: string): [string[], string] {
    return completeLine(line, COMMANDS, { portIds: () => this.app.ports.ids() });
  }
}
