/**
 * The testpmd program: command line → application → prompt or forwarding → exit code. bin/testpmd.mjs calls main; nothing else here is
 * called from outside.
 */
import { ealHelp, parseEalArgs } from '@pollwire/ethdev';
import { createContainer, startEal, TOKENS } from './container.js';
import { messageOf } from './errors.js';
import { optionHelp, parseOptions } from './options.js';
import type { Output } from './output.js';
import { Prompt } from './prompt.js';
import { Session } from './session.js';
import type { Settings } from './settings.js';
import { handleSignals } from './signals.js';
import type { Testpmd } from './testpmd.js';
import { runUnattended } from './unattended.js';
import { version } from './version.js';

/**
 * Runs testpmd with `argv` (without interpreter and script).
 * @returns the exit code: 0, or 1 with one line on standard error that says why
 */
export async function main(argv: readonly string[]): Promise<number> {
  const container = createContainer();
  const out = container.resolve<Output>(TOKENS.Output);
  try {
    const eal = parseEalArgs(argv);
    if (eal.version) {
      out.write(`${version()}\n`);
      return 0;
    }
    const options = parseOptions(eal.rest);
    if (eal.help || options.help) {
      out.write(`${eal.help ? ealHelp() : ''}${optionHelp()}`);
      return 0;
    }
    for (const note of [...eal.notes, ...options.notes]) out.error(note);
    announce(options.settings, options.given, out);
    const app = await startEal(container, eal.options, options.settings);
    return await run(app);
  } catch (error) {
    out.error(`testpmd: ${messageOf(error)}`);
    return 1;
  }
}

/** DPDK answers some options with a line. */
function announce(settings: Settings, given: readonly string[], out: Output): void {
  if (settings.interactive) out.write('Interactive-mode selected\n');
  if (settings.autoStart) out.write('Auto-start selected\n');
  if (given.includes('forward-mode')) out.write(`Set ${settings.engine} packet forwarding mode\n`);
}

async function run(app: Testpmd): Promise<number> {
  const forget = handleSignals(app);
  try {
    await app.boot();
    await work(app);
    return 0;
  } catch (error) {
    app.out.error(`testpmd: ${messageOf(error)}`);
    return 1;
  } finally {
    await app.shutDown();
    forget();
  }
}

async function work(app: Testpmd): Promise<void> {
  const { settings } = app;
  const session = new Session(app);
  for (const { path, echo } of settings.commandFiles) {
    if (app.quitSignal.aborted) return;
    await session.runFile(path, echo);
  }
  if (app.quitSignal.aborted) return;
  if (!settings.interactive) return runUnattended(app, process.stdin);
  if (settings.autoStart) {
    app.out.write('Start automatic packet forwarding\n');
    await app.forwarding.start();
  }
  await new Prompt(session, { input: process.stdin, output: process.stdout }).run();
}
