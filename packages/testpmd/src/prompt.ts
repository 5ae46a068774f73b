/**
 * The prompt: reads lines from a terminal (history, completion, redraw after events) or from a pipe (echoing each, as DPDK does) and runs
 * them in order until `quit`, the end of input or a signal. Called by main.ts.
 */
import type { Interface } from 'node:readline';
import { createInterface } from 'node:readline';
import type { Session } from './session.js';
import { PROMPT } from './session.js';

export interface PromptStreams {
  input: NodeJS.ReadableStream & { isTTY?: boolean };
  output: NodeJS.WritableStream & { isTTY?: boolean };
}

const HISTORY = 1000;

export class Prompt {
  private readonly session: Session;
  private readonly editing: boolean;
  /** Input is a pipe or a file: what was read is printed behind the prompt. */
  private readonly echo: boolean;
  private readonly lines: string[] = [];
  private readonly reader: Interface;
  private busy = false;
  private inputEnded = false;
  private finish: () => void = () => undefined;

  constructor(session: Session, { input, output }: PromptStreams) {
    this.session = session;
    // A dumb terminal echoes and edits lines itself, and a pipe needs neither.
    this.editing = input.isTTY === true && output.isTTY === true && process.env.TERM !== 'dumb';
    this.reader = createInterface({
      input,
      ...(this.editing
        ? { output, completer: (line: string) => session.complete(line), historySize: HISTORY }
        : {}),
      terminal: this.editing,
      prompt: PROMPT,
    });
    this.echo = input.isTTY !== true;
  }

  /** Resolves when the user quits, input ends or the application is asked to end. The line that runs then is waited for. */
  run(): Promise<void> {
    const { app } = this.session;
    const done = new Promise<void>((resolve) => {
      this.finish = resolve;
    });
    this.reader.on('line', (line) => {
      this.lines.push(line);
      void this.work();
    });
    this.reader.on('close', () => {
      this.inputEnded = true;
      void this.work();
    });
    // Ctrl-C while a line is edited arrives here and not as a signal.
    this.reader.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
    app.quitSignal.addEventListener('abort', () => void this.work(), { once: true });
    app.redraw = () => this.draw();
    this.draw();
    void this.work();
    return done.finally(() => {
      app.redraw = undefined;
      this.reader.close();
    });
  }

  /** Runs waiting lines, one at a time. */
  private async work(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    const { app } = this.session;
    while (this.lines.length > 0 && !app.quitSignal.aborted) {
      const line = this.lines.shift() as string;
      if (this.echo) app.out.write(`${line}\n`);
      await this.session.run(line);
      if (!app.quitSignal.aborted) this.draw(true);
    }
    this.busy = false;
    if (app.quitSignal.aborted || (this.inputEnded && this.lines.length === 0)) this.finish();
  }

  private draw(now = !this.busy): void {
    if (!now || this.session.app.quitSignal.aborted) return;
    if (this.inputEnded && this.lines.length === 0) return;
    if (this.editing) this.reader.prompt(true);
    else this.session.app.out.write(PROMPT);
  }
}
