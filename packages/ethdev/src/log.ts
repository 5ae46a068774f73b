/**
 * Log lines with DPDK's levels and per-type thresholds ('pmd.net.vhost:debug'). Control plane only: a poll function never logs
 * per packet; its context has a logger that sends the line to the main isolate.
 */
import { PollwireError } from '@pollwire/native';
import { didYouMean, endSentence } from './suggest.js';

/** Names in DPDK's order; the number of a level is its index + 1 (emergency 1 … debug 8). */
export const LOG_LEVELS = [
  'emergency',
  'alert',
  'critical',
  'error',
  'warning',
  'notice',
  'info',
  'debug',
] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Receives finished lines without a newline. */
export type LogSink = (line: string, level: LogLevel) => void;

const DEFAULT: LogLevel = 'notice';
const severity = (level: LogLevel) => LOG_LEVELS.indexOf(level) + 1;

/** How much of one thing {@link Logger.limited} lets through. */
export interface LogBudget {
  /** Length of a window. Default 1000. */
  readonly milliseconds?: number;
  /** Lines in a window. Default 1. */
  readonly lines?: number;
  /** The time, for tests. Default Date.now(). */
  readonly now?: number;
}

interface Rule {
  pattern: RegExp;
  level: number;
}

/** Level word or number 1-8. Throws LOG_LEVEL. */
export function parseLogLevel(text: string): LogLevel {
  const index = Number(text) - 1;
  const level = LOG_LEVELS[index] ?? LOG_LEVELS.find((name) => name === text.toLowerCase());
  if (level === undefined) {
    const hint = didYouMean(text, LOG_LEVELS) || `; use 1 to 8 or ${LOG_LEVELS.join(', ')}`;
    throw new PollwireError('LOG_LEVEL', endSentence(`Unknown log level '${text}'${hint}`));
  }
  return level;
}

/** One set of thresholds and one sink: an Eal has one, everything it makes logs through it. */
export class LogRoot {
  sink: LogSink;
  private global = severity(DEFAULT);
  private rules: Rule[] = [];

  constructor(sink: LogSink = (line) => void process.stderr.write(`${line}\n`)) {
    this.sink = sink;
  }

  /**
   * What `--log-level` takes: `debug`, `8`, `pmd.net.*:debug` (glob) or `pmd\.net,debug` (regular expression). Throws LOG_LEVEL.
   */
  configure(text: string): void {
    const glob = text.lastIndexOf(':');
    const comma = text.lastIndexOf(',');
    if (glob < 0 && comma < 0) {
      this.global = severity(parseLogLevel(text));
      this.rules = [];
      return;
    }
    const at = Math.max(glob, comma);
    const level = severity(parseLogLevel(text.slice(at + 1)));
    this.rules.unshift({ pattern: pattern(text.slice(0, at), at === glob), level });
  }

  enabled(type: string, level: LogLevel): boolean {
    const rule = this.rules.find((r) => r.pattern.test(type));
    return severity(level) <= (rule?.level ?? this.global);
  }

  write(type: string, level: LogLevel, message: string): void {
    if (this.enabled(type, level)) this.sink(`${type}: ${message}`, level);
  }

  logger(type: string): Logger {
    return new Logger(type, (t, level, message) => this.write(t, level, message));
  }
}

function pattern(text: string, glob: boolean): RegExp {
  if (glob)
    return new RegExp(
      `^${text
        .replace(/[.+^${}()|[\]\\]/g, '\\$&')
        .replace(/\*/g, '.*')
        .replace(/\?/g, '.')}$`,
    );
  try {
    return new RegExp(text);
  } catch (error) {
    throw new PollwireError('LOG_LEVEL', `Log type '${text}' is not a regular expression.`, { cause: error });
  }
}

/** Logger of one type, such as 'eal' or 'pmd.net.vhost'. */
export class Logger {
  private readonly windows = new Map<string, { from: number; lines: number; dropped: number }>();

  constructor(
    readonly type: string,
    private readonly write: (type: string, level: LogLevel, message: string) => void,
  ) {}

  error(message: string): void {
    this.write(this.type, 'error', message);
  }

  warn(message: string): void {
    this.write(this.type, 'warning', message);
  }

  notice(message: string): void {
    this.write(this.type, 'notice', message);
  }

  info(message: string): void {
    this.write(this.type, 'info', message);
  }

  debug(message: string): void {
    this.write(this.type, 'debug', message);
  }

  /**
   * So many lines per `key` and window; the first one of the next window says how many were left out. For what a peer can trigger; keys
   * are the program's own words.
   */
  limited(level: LogLevel, key: string, message: string, budget: LogBudget = {}): void {
    const { milliseconds = 1000, lines = 1, now = Date.now() } = budget;
    let window = this.windows.get(key);
    if (window !== undefined && now - window.from < milliseconds && window.lines >= lines) {
      window.dropped++;
      return;
    }
    let dropped = 0;
    if (window === undefined || now - window.from >= milliseconds) {
      dropped = window?.dropped ?? 0;
      window = { from: now, lines: 0, dropped: 0 };
      this.windows.set(key, window);
    }
    window.lines++;
    this.write(this.type, level, dropped === 0 ? message : `${message} (${dropped} more like this left out)`);
  }
}
