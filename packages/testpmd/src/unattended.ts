/**
 * testpmd without a prompt: forwards from the start until Enter, the end of input or a signal, with a statistics screen every --stats-period
 * seconds. Called by main.ts.
 */
import { PollwireError } from '@pollwire/native';
import type { Testpmd } from './testpmd.js';

/** Clears the screen, as DPDK does before each screen. */
const CLEAR = '\u001b[2J\u001b[1;1H';

export async function runUnattended(app: Testpmd, input: NodeJS.ReadStream): Promise<void> {
  const { settings, out } = app;
  out.write('No commandline core given, start packet forwarding\n');
  if (!(await app.forwarding.start(settings.txFirst ? 1 : 0))) {
    throw new PollwireError('FORWARDING_REFUSED', 'Forwarding could not be started');
  }
  if (settings.statsPeriod > 0) await printEvery(app, settings.statsPeriod, input);
  else {
    out.write('Press enter to exit\n');
    await Promise.race([aborted(app.quitSignal), lineOrEnd(input)]);
  }
  input.pause();
}

/** Only a terminal ends this by Enter: under a service manager input is closed from the start. */
async function printEvery(app: Testpmd, seconds: number, input: NodeJS.ReadStream): Promise<void> {
  if (input.isTTY) void lineOrEnd(input).then(() => app.quit());
  const { clock, quitSignal, out } = app;
  for (;;) {
    await clock.sleep(seconds * 1000, quitSignal);
    if (quitSignal.aborted) return;
    out.write(statsScreen(app));
  }
}

/** One screen: every forwarding port. */
export function statsScreen(app: Testpmd): string {
  const ports = app.forwarding.plan().ports.flatMap((id) => app.ports.get(id) ?? []);
  return `${CLEAR}\nPort statistics ====================================${ports.map((port) => app.portStats(port)).join('')}`;
}

function lineOrEnd(input: NodeJS.ReadStream): Promise<void> {
  return new Promise((resolve) => {
    input.once('data', () => resolve());
    input.once('end', () => resolve());
    input.once('error', () => resolve());
    input.resume();
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
