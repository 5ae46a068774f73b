/**
 * Compares what a process holds each time it should hold the same: descriptors by target, and shared file mappings (a peer's
 * memory). Tests that let front-ends come and go call `check` after each of them.
 */
import type { ManagedProcess } from './process.js';
import { settled, waitUntil } from './wait.js';

interface Held {
  fds: string[];
  maps: number;
}

export class ResourceWatch {
  #process: ManagedProcess;
  #measure: Held | undefined;

  constructor(process: ManagedProcess) {
    this.#process = process;
  }

  /**
   * The first call takes the measure, once the numbers have come to rest; each later one waits until they are the same again
   * (descriptors are closed a moment after the event that tells about it).
   *
   * @throws Error naming what is held beyond the measure, or missing, after 5 s
   */
  async check(label: string): Promise<void> {
    if (this.#measure === undefined) {
      this.#measure = await settled(`descriptors of ${this.#process.name}`, 10_000, 300, async () =>
        this.#read(),
      );
      return;
    }
    const want = JSON.stringify(this.#measure);
    const back = () => JSON.stringify(this.#read()) === want;
    await waitUntil('descriptors and mappings as before', 5000, back).catch((error: unknown) => {
      throw new Error(
        `${label}: ${this.#process.name} does not hold what it held before:\n${this.#difference()}`,
        {
          cause: error,
        },
      );
    });
  }

  #read(): Held {
    return { fds: this.#process.fdTargets(), maps: this.#process.sharedFileMaps().length };
  }

  #difference(): string {
    const before = this.#measure ?? { fds: [], maps: 0 };
    const now = this.#read();
    const count = (list: string[], target: string) => list.filter((one) => one === target).length;
    const lines = [...new Set([...before.fds, ...now.fds])]
      .map((target) => ({ target, from: count(before.fds, target), to: count(now.fds, target) }))
      .filter(({ from, to }) => from !== to)
      .map(({ target, from, to }) => `  ${target}: ${from} before, ${to} now`);
    if (now.maps !== before.maps)
      lines.push(`  shared file mappings: ${before.maps} before, ${now.maps} now`);
    return lines.join('\n');
  }
}
