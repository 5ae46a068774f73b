/**
 * SIGINT and SIGTERM end the program the way `quit` does; a second one, or an end that takes too long, ends it at once. A closed standard
 * output (`testpmd | head`) is a wish to end, too. Called by main.ts and demo.ts.
 */
import { constants } from 'node:os';
import type { Testpmd } from './testpmd.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Orderly shutdown takes milliseconds; a driver that hangs must not keep the process. */
const PATIENCE_MS = 1800;

/** @returns stops listening */
export function handleSignals(app: Testpmd): () => void {
  let timer: NodeJS.Timeout | undefined;
  const onSignal = (signal: (typeof SIGNALS)[number]): void => {
    const number = constants.signals[signal];
    if (timer !== undefined) process.exit(128 + number);
    app.out.error(`\nSignal ${number} received, preparing to exit...`);
    timer = setTimeout(() => {
      app.out.error(`testpmd: the shutdown took longer than ${PATIENCE_MS} ms and was cut short`);
      process.exit(1);
    }, PATIENCE_MS);
    app.quit();
  };
  const onOutputGone = (): void => app.quit();
  for (const signal of SIGNALS) process.on(signal, onSignal);
  process.stdout.on('error', onOutputGone);
  return () => {
    clearTimeout(timer);
    for (const signal of SIGNALS) process.off(signal, onSignal);
    // The pipe stays broken: writes of the last lines must not throw either.
    process.stdout.on('error', () => undefined);
    process.stdout.off('error', onOutputGone);
  };
}
