/**
 * Where text goes and where time comes from: the two edges that tests replace. Everything in this package prints through an
 * Output and reads the time from a Clock; nothing else touches process.stdout or performance.
 */

/** Two text streams. Answers go to `write`, complaints to `error`, as DPDK's testpmd splits them. */
export interface Output {
  /** Text for standard output, exactly as given. */
  write(text: string): void;
  /** One line for standard error; the newline is added. */
  error(line: string): void;
}

export interface Clock {
  /** Milliseconds on a clock that never goes back. */
  now(): number;
  /** Resolves after `milliseconds`, or at once when `signal` is or becomes aborted. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/** Standard output and standard error of this process. */
export function processOutput(): Output {
  return {
    write: (text) => void process.stdout.write(text),
    error: (line) => void process.stderr.write(`${line}\n`),
  };
}

/** Keeps what was written; for tests and for programs that embed testpmd. */
export class TextOutput implements Output {
  text = '';
  errors: string[] = [];

  write(text: string): void {
    this.text += text;
  }

  error(line: string): void {
    this.errors.push(line);
  }

  /** Returns what was written since the last call, and forgets it. */
  take(): string {
    const text = this.text;
    this.text = '';
    return text;
  }
}

export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (milliseconds, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      signal?.addEventListener('abort', done, { once: true });
    }),
};
