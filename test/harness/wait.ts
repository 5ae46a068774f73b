/** Waiting with a deadline: the only place of the harness that sleeps. */
import { setTimeout as sleep } from 'node:timers/promises';

/** A deadline passed. `what` says what was awaited. */
export class DeadlineError extends Error {
  constructor(what: string, timeoutMs: number) {
    super(`${what}: not within ${timeoutMs} ms`);
    this.name = 'DeadlineError';
  }
}

/**
 * Calls `probe` until it returns something other than undefined or false, and returns that.
 *
 * @param what named in the error
 * @param timeoutMs deadline in milliseconds
 * @param intervalMs pause between two calls, default 50
 * @throws DeadlineError when the deadline passes; whatever `probe` throws
 */
export async function waitUntil<T>(
  what: string,
  timeoutMs: number,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  intervalMs = 50,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (performance.now() >= end) throw new DeadlineError(what, timeoutMs);
    await sleep(intervalMs);
  }
}

/**
 * Samples `read` until two samples `quietMs` apart are equal, and returns the last. Used for counters that lag behind
 * traffic that has stopped.
 */
export async function settled<T>(
  what: string,
  timeoutMs: number,
  quietMs: number,
  read: () => Promise<T>,
): Promise<T> {
  let last = JSON.stringify(await read());
  return waitUntil(
    `${what} to settle`,
    timeoutMs,
    async () => {
      await sleep(quietMs);
      const value = await read();
      const text = JSON.stringify(value);
      if (text === last) return { value };
      last = text;
      return undefined;
    },
    0,
  ).then((result) => result.value);
}
