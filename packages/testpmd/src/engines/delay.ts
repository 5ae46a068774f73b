/**
 * Waits microseconds without giving the CPU away and without allocating: a loop that was timed once per isolate. Used between retries;
 * not exact, a preempted timing run makes it longer.
 */

const TIMED_TURNS = 200_000;
let turnsPerMicrosecond = 0;
/** Written so that the loop has a result and is not removed. */
let sink = 0;

function spin(turns: number): void {
  let x = sink;
  for (let i = 0; i < turns; i++) x = (Math.imul(x, 1_103_515_245) + 12_345) | 0;
  sink = x;
}

/** Times the loop; the first run lets the compiler see it. Called when an engine with retries is opened. */
export function calibrateDelay(): void {
  if (turnsPerMicrosecond > 0) return;
  spin(TIMED_TURNS);
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 3; run++) {
    const start = performance.now();
    spin(TIMED_TURNS);
    best = Math.min(best, performance.now() - start);
  }
  turnsPerMicrosecond = Math.max(1, Math.round(TIMED_TURNS / Math.max(best, 0.001) / 1000));
}

export function delay(microseconds: number): void {
  if (turnsPerMicrosecond === 0) calibrateDelay();
  spin(turnsPerMicrosecond * microseconds);
}
