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
  private readonly last = new Map<string, { at: number; dropped: number }>();

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

  /** At most one line per `key` and `milliseconds` (default 1000); the next one says how many were left out. For what a peer can trigger. */
  limited(level: LogLevel, key: string, message: string, milliseconds = 1000, now = Date.now()): void {
    const seen = this.last.get(key);
    if (seen !== undefined && now - seen.at < milliseconds) {
      seen.dropped++;
      return;
    }
    const dropped = seen?.dropped ?? 0;
    this.last.set(key, { at: now, dropped: 0 });
    this.write(this.type, level, dropped === 0 ? message : `${message} (${dropped} more like this left out)`);
  }
}
