/**
 * An interactive testpmd, DPDK's or ours, driven through pipes: a command goes in, the text up to the next prompt comes
 * out. DPDK's is started under `stdbuf -oL` (see dpdk.ts), without which its output stays in a buffer when standard
 * output is no terminal.
 */
import type { ManagedProcess } from './process.js';
import type { ForwardReport, PoolState, PortStats } from './testpmd-parse.js';
import {
  parseForwardReport,
  parsePoolState,
  parsePortInfo,
  parsePortStats,
  parseXstats,
} from './testpmd-parse.js';
import { waitUntil } from './wait.js';

const prompt = 'testpmd> ';

export class TestpmdSession {
  readonly process: ManagedProcess;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(process: ManagedProcess) {
    this.process = process;
  }

  /** Waits for the first prompt. */
  static async open(process: ManagedProcess, timeoutMs = 30_000): Promise<TestpmdSession> {
    await process.waitFor(/testpmd> /, timeoutMs);
    return new TestpmdSession(process);
  }

  /** Everything printed so far, events included. */
  get text(): string {
    return this.process.text;
  }

  /**
   * Sends one line and returns what was printed until the prompt came back, without the echo of the line. Commands
   * issued at the same time run one after another.
   */
  command(line: string, timeoutMs = 15_000): Promise<string> {
    const run = this.#last.then(async () => {
      const from = this.process.text.length;
      this.process.write(`${line}\n`);
      return this.process.waitText(`the prompt after "${line}"`, timeoutMs, (text) =>
        answerTo(line, text.slice(from)),
      );
    });
    this.#last = run.catch(() => {});
    return run;
  }

  async portStats(port: number): Promise<PortStats> {
    return parsePortStats(await this.command(`show port stats ${port}`));
  }

  async portInfo(port: number): Promise<Map<string, string>> {
    return parsePortInfo(await this.command(`show port info ${port}`));
  }

  async xstats(port: number): Promise<Map<string, number>> {
    return parseXstats(await this.command(`show port xstats ${port}`));
  }

  async forwardStats(): Promise<ForwardReport> {
    return parseForwardReport(await this.command('show fwd stats all'));
  }

  /**
   * `start`.
   *
   * @throws Error with testpmd's answer when it did not start, e.g. because a port is stopped
   */
  async startForwarding(): Promise<void> {
    const answer = await this.command('start');
    if (!/packet forwarding.* - ports=\d+/.test(answer)) {
      throw new Error(`${this.process.name}: start did not start forwarding: ${answer.trim()}`);
    }
  }

  /** Stops forwarding and returns the report that `stop` prints. */
  async stopForwarding(): Promise<ForwardReport> {
    return parseForwardReport(await this.command('stop', 30_000));
  }

  /** Occupancy of a pool. Exact only while nothing forwards. */
  async poolState(name = 'mb_pool_0'): Promise<PoolState> {
    return parsePoolState(await this.command('dump_mempool'), name);
  }

  /** Waits until `show port info` says the link is up or down. */
  async waitLink(port: number, state: 'up' | 'down', timeoutMs: number): Promise<void> {
    await waitUntil(
      `${this.process.name}: port ${port} link ${state}`,
      timeoutMs,
      async () => (await this.portInfo(port)).get('Link status') === state,
      100,
    );
  }

  /** Waits until port `port` has received at least `count` packets more than `since`. */
  async waitReceived(port: number, count: number, timeoutMs: number, since = 0): Promise<PortStats> {
    return waitUntil(
      `${this.process.name}: port ${port} to receive ${count} packets`,
      timeoutMs,
      async () => {
        const stats = await this.portStats(port);
        return stats.rxPackets - since >= count ? stats : undefined;
      },
      100,
    );
  }

  /** How often `Port P: link state change event` has been printed. */
  linkEvents(port: number): number {
    // Not anchored: the echo of a command may come between the line's leading newline and its text.
    return [...this.text.matchAll(new RegExp(`Port ${port}: link state change event`, 'g'))].length;
  }

  /** Waits until `linkEvents` has reached `count`. */
  async waitLinkEvents(port: number, count: number, timeoutMs: number): Promise<void> {
    await waitUntil(
      `${this.process.name}: ${count} link events of port ${port}`,
      timeoutMs,
      () => this.linkEvents(port) >= count,
    );
  }

  /** `quit`, and waits for the orderly end. */
  async quit(timeoutMs = 20_000): Promise<void> {
    this.process.write('quit\n');
    await this.process.waitFor(/Bye\.\.\./, timeoutMs);
    await this.process.exited;
  }
}

/**
 * The answer to `line` in what was printed since it was sent, or undefined while it is not complete. Other threads print too:
 * ours draws the prompt again behind an event, and DPDK's events and log lines may land in the middle of the echo of the line,
 * which it prints letter by letter.
 */
export function answerTo(line: string, text: string): string | undefined {
  const echo = `${line}\n`;
  const at = text.indexOf(echo);
  if (at >= 0) {
    const start = at + echo.length;
    const end = text.indexOf(prompt, start);
    return end < 0 ? undefined : text.slice(start, end);
  }
  // The first prompt before which at least all letters of the echo have come, in order.
  for (let end = text.indexOf(prompt); end >= 0; end = text.indexOf(prompt, end + 1)) {
    const before = text.slice(0, end).replace(/Port \d+: [A-Za-z ]+ event\n/g, '');
    if (hasLetters(before, line)) return before;
  }
  return undefined;
}

/** All of `letters` occur in `text`, in this order. */
function hasLetters(text: string, letters: string): boolean {
  let from = 0;
  for (const letter of letters) {
    const at = text.indexOf(letter, from);
    if (at < 0) return false;
    from = at + 1;
  }
  return true;
}
