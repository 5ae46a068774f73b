// @ts-check
// Progress of a long run on standard error: what is being measured, how many are done, and an estimate of the time left.

/**
 * "1 h 05 min", "12 min", "40 s".
 * @param {number} ms
 */
export function span(ms) {
  const seconds = Math.round(ms / 1000);
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90
    ? `${minutes} min`
    : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

/** Counts steps of about the same length. */
export class Progress {
  #done = 0;
  #began;
  #steps;
  #now;

  /** @param {number} steps @param {() => number} [now] milliseconds */
  constructor(steps, now = () => performance.now()) {
    this.#steps = steps;
    this.#now = now;
    this.#began = now();
  }

  /** One more step is done. @param {string} what @returns {string} a line on it */
  step(what) {
    this.#done++;
    const left = ((this.#now() - this.#began) / this.#done) * (this.#steps - this.#done);
    const rest = this.#done < this.#steps ? `, about ${span(left)} left` : '';
    return `[${this.#done}/${this.#steps}${rest}] ${what}`;
  }
}

/** @param {string} line */
export const say = (line) => process.stderr.write(`bench      ${line}\n`);
