// @ts-check
// Runs a command of the set-up and keeps its output for the case that it fails. Each command leads a process
// group of its own, so that an interrupted set-up takes compilers and installers with it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const FORWARDED = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);
/** @type {Set<number>} process groups that run now */
const groups = new Set();

/** A command that ended badly; `output` is all that it printed. */
export class CommandFailed extends Error {
  /**
   * @param {string} command
   * @param {string} how
   * @param {string} output
   */
  constructor(command, how, output) {
    super(`${command}: ${how}`);
    this.name = 'CommandFailed';
    this.output = output;
  }
}

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd]
 * @property {Record<string, string | undefined>} [env] added to the environment; `undefined` removes
 * @property {(line: string) => void} [onLine] called with each line of output as it comes
 */

/**
 * Runs a command to its end without a shell and without standard input.
 * @param {string} command
 * @param {string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<string>} its output, both streams as they came
 * @throws {CommandFailed} when it cannot start, exits with another code than 0, or dies by a signal
 */
export async function run(command, args, { cwd, env, onLine } = {}) {
  const name = [command, ...args].join(' ');
  const child = spawn(command, args, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
  let output = '';
  let partial = '';
  /** @param {Buffer} chunk */
  const collect = (chunk) => {
    const text = chunk.toString();
    output += text;
    if (!onLine) return;
    const lines = (partial + text).split(/[\r\n]+/);
    partial = lines.pop() ?? '';
    for (const line of lines) if (line !== '') onLine(line);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const { pid } = child;
  if (pid !== undefined) track(pid);
  try {
    const [code, signal] = await once(child, 'close');
    if (code !== 0)
      throw new CommandFailed(name, signal ? `killed by ${signal}` : `exit code ${code}`, output);
    return output;
  } catch (error) {
    if (error instanceof CommandFailed) throw error;
    throw new CommandFailed(name, error instanceof Error ? error.message : String(error), output);
  } finally {
    if (pid !== undefined) untrack(pid);
  }
}

/** @param {number} pid */
function track(pid) {
  if (groups.size === 0) for (const signal of FORWARDED) process.on(signal, interrupted);
  groups.add(pid);
}

/** @param {number} pid */
function untrack(pid) {
  groups.delete(pid);
  if (groups.size === 0) for (const signal of FORWARDED) process.off(signal, interrupted);
}

/** @param {NodeJS.Signals} signal */
function interrupted(signal) {
  for (const pid of groups) {
    try {
      process.kill(-pid, 'SIGTERM');
    } catch {
      // It has just ended.
    }
  }
  for (const name of FORWARDED) process.off(name, interrupted);
  process.kill(process.pid, signal);
}
