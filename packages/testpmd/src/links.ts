/** Waits until links are up, the way DPDK's testpmd does: only when nobody reports their changes. Called when ports start and stop. */
import type { Port } from '@pollwire/ethdev';
import { formatLink } from '@pollwire/ethdev';
import type { Clock, Output } from './output.js';

const STEP_MS = 100;
const STEPS = 90;

/**
 * @param interrupts true: link changes are reported, so nothing is waited for
 * @param signal ends the wait
 */
export async function checkLinks(
  ports: readonly Port[],
  interrupts: boolean,
  deps: { out: Output; clock: Clock; signal: AbortSignal },
): Promise<void> {
  const { out, clock, signal } = deps;
  out.write('Checking link statuses...\n');
  if (interrupts) return;
  for (let step = 0; step < STEPS && !signal.aborted; step++) {
    if (ports.every((port) => port.link.up)) break;
    await clock.sleep(STEP_MS, signal);
  }
  for (const port of ports) out.write(`Port ${port.id} ${formatLink(port.link)}\n`);
}
