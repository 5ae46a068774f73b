/**
 * Tests with real peers, for vitest: `describePeer` skips or insists on the programs a group needs, `scenario` is a test
 * with a scope of its own. On failure the error carries the log tails of everything that ran; otherwise nothing is printed.
 */
import { describe, test } from 'vitest';
import type { PeerName } from './peers.js';
import { requirePeer } from './peers.js';
import { Scope } from './scope.js';
import { DeadlineError } from './wait.js';

/**
 * A group of tests that needs peers. Without one of them the group is skipped and its title says how to un-skip it;
 * with POLLWIRE_REQUIRE_PEERS=1 the file fails instead.
 */
export function describePeer(peers: PeerName | readonly PeerName[], name: string, body: () => void): void {
  const wanted = typeof peers === 'string' ? [peers] : peers;
  const reasons = wanted.map(requirePeer).filter((reason) => reason !== undefined);
  if (reasons.length === 0) describe(name, body);
  else describe.skip(`${name} [skipped: ${reasons.join('; ')}]`, body);
}

/**
 * A test with a deadline and a scope that is closed whatever happens.
 *
 * @param timeoutMs deadline of the body; afterwards everything it started is killed and the test fails
 */
export function scenario(name: string, timeoutMs: number, body: (scope: Scope) => Promise<void>): void {
  test(name, { timeout: timeoutMs + 20_000 }, async () => {
    const scope = new Scope();
    let timer: NodeJS.Timeout | undefined;
    const running = body(scope);
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new DeadlineError(`scenario "${name}"`, timeoutMs)), timeoutMs);
    });
    try {
      await Promise.race([running, deadline]);
    } catch (error) {
      const report = scope.report();
      await scope.killAll();
      // The body sees its processes die and ends; its own error is no news any more.
      await running.catch(() => {});
      if (error instanceof Error && report !== '') error.message += `\n${report}`;
      throw error;
    } finally {
      clearTimeout(timer);
      await scope.close();
    }
  });
}
