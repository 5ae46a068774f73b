// @ts-check
// Reads numbers out of what a testpmd prints, DPDK's or ours: pure functions from text to numbers, for the tools of the benchmark.

/**
 * Receive or transmit rate, packets per second, summed over the ports of one `show port stats` screen.
 * @param {string} text
 * @param {'Rx' | 'Tx'} direction
 * @returns {number} NaN when the text has no such line
 */
export function portRate(text, direction) {
  const rates = [...text.matchAll(new RegExp(`${direction}-pps:\\s*(\\d+)`, 'g'))].map(([, rate]) =>
    Number(rate),
  );
  return rates.length === 0 ? Number.NaN : rates.reduce((sum, rate) => sum + rate, 0);
}

/**
 * Mean frame length of what the ports of a `show port stats` screen received or sent since they started, bytes.
 * @param {string} text
 * @param {'RX' | 'TX'} direction
 */
export function meanFrame(text, direction) {
  const sum = (/** @type {string} */ what) =>
    [...text.matchAll(new RegExp(`${direction}-${what}:\\s*(\\d+)`, 'g'))].reduce(
      (all, [, n]) => all + Number(n),
      0,
    );
  return sum('bytes') / sum('packets');
}

/**
 * The figure that `stop` prints after `set record-core-cycles on`.
 * @param {string} text
 * @returns {number | undefined} undefined when nothing was forwarded
 */
export function cyclesPerPacket(text) {
  const found = /CPU cycles\/packet=([\d.]+)/.exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}

const PROMPT = 'testpmd> ';

/**
 * The answer to a typed line: what was printed from `from` on, behind the echo of the line and before the next prompt. Undefined while
 * it is not complete: ours draws its prompt again behind an event, so that a prompt before the echo is no answer.
 * @param {string} log
 * @param {number} from
 * @param {string} [line] without it, whatever comes before the next prompt
 */
export function answerTo(log, from, line) {
  const echo = line === undefined ? '' : `${line}\n`;
  const at = log.indexOf(echo, from);
  if (at < 0) return undefined;
  const end = log.indexOf(PROMPT, at + echo.length);
  return end < 0 ? undefined : log.slice(at + echo.length, end);
}

/** How much of a torn prompt and what tore it is looked at. */
const TORN_LENGTH = 120;

/**
 * The same where another thread of DPDK's has printed in the middle of the echo or of the prompt, which it writes letter by letter:
 * everything, once all letters of a prompt stand in order near the end. Only for an answer that must be complete by now.
 * @param {string} log
 * @param {number} from
 */
export function tornAnswer(log, from) {
  const text = log.slice(from);
  const end = text.slice(-TORN_LENGTH);
  let at = 0;
  for (const letter of end) if (letter === PROMPT[at]) at++;
  return at === PROMPT.length ? text : undefined;
}

/**
 * Value of a `Key:  123 kB` line of a file of /proc, in KiB.
 * @param {string} text
 * @param {string} key
 */
export function procKiB(text, key) {
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
}

/**
 * What DPDK's heap has reserved and not given out, KiB: `dump_socket_mem`. 0 where there is no such answer.
 * @param {string} text
 */
export function freeHeapKiB(text) {
  return Number(/^Total\s*:.*?\bfree: ([\d.]+)/m.exec(text)?.[1] ?? 0) * 1024;
}
