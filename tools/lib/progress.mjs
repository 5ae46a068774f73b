// @ts-check
// Progress of set-up and builds: one line per step with its elapsed time, on standard error so that a
// program's own output stays clean. A terminal sees the line move; a log gets a sign of life every ten seconds.

const isTerminal = Boolean(process.stderr.isTTY) && process.env.TERM !== 'dumb';
const LOG_INTERVAL_MS = 10_000;
const TERMINAL_INTERVAL_MS = 200;
const LABEL_WIDTH = 10;

/**
 * Runs one step and reports it. `work` gets a function to tell how far it is.
 * @template T
 * @param {string} label the part of the project, one word
 * @param {string} doing what is done, as in "building release"
 * @param {(tick: (detail: string) => void) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function step(label, doing, work) {
  const started = performance.now();
  let detail = '';
  const line = () =>
    `${label.padEnd(LABEL_WIDTH)} ${doing}${detail && ` ${detail}`} … ${seconds(performance.now() - started)}`;
  const timer = setInterval(
    () => process.stderr.write(isTerminal ? `\r\x1b[2K${line().slice(0, columns())}` : `${line()}\n`),
    isTerminal ? TERMINAL_INTERVAL_MS : LOG_INTERVAL_MS,
  );
  timer.unref();
  if (isTerminal) process.stderr.write(line());
  /** @param {string} outcome */
  const finish = (outcome) => {
    clearInterval(timer);
    const took = seconds(performance.now() - started);
    process.stderr.write(
      `${isTerminal ? '\r\x1b[2K' : ''}${label.padEnd(LABEL_WIDTH)} ${doing}: ${outcome} (${took})\n`,
    );
  };
  try {
    const result = await work((text) => {
      detail = text;
    });
    finish('done');
    return result;
  } catch (error) {
    finish('FAILED');
    throw error;
  }
}

/**
 * One line outside any step.
 * @param {string} label
 * @param {string} text
 */
export function note(label, text) {
  process.stderr.write(`${label.padEnd(LABEL_WIDTH)} ${text}\n`);
}

/** @param {number} ms */
export function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}

function columns() {
  return Math.max(20, (process.stderr.columns ?? 80) - 1);
}
