/** The lcores of one Eal: which ids on which CPUs (from the options), and operations on all of them. */
import { native, PollwireError } from '@pollwire/native';
import type { EalOptions } from './eal-args.js';
import type { LcoreHost } from './lcore.js';
import { Lcore } from './lcore.js';
import type { LcoreSpec } from './lcore-list.js';
import { checkCpus, defaultLcores, parseCoremask, parseLcoreList } from './lcore-list.js';
import type { Run } from './run.js';
import { sentenceList } from './suggest.js';

export interface ChosenLcores {
  readonly main: LcoreSpec;
  readonly workers: readonly LcoreSpec[];
  readonly usable: readonly number[];
}

export class LcoreSet {
  readonly main: { readonly id: number; readonly cpu: number };
  readonly workers: readonly Lcore[];

  /** Options → lcores, checked against the CPUs of this process. Throws LCORE_LIST, LCORE_CPU, LCORE_UNKNOWN. */
  static choose(options: EalOptions, usable: readonly number[] = native.usableCpus()): ChosenLcores {
    const { lcores, coremask, mainLcore } = options;
    const specs =
      lcores !== undefined
        ? parseLcoreList(lcores)
        : coremask !== undefined
          ? parseCoremask(coremask)
          : defaultLcores(usable);
    checkCpus(specs, usable);
    const main = mainLcore === undefined ? specs[0] : specs.find((spec) => spec.id === mainLcore);
    if (main === undefined) {
      const known = sentenceList(specs.map((spec) => spec.id));
      throw new PollwireError(
        'LCORE_UNKNOWN',
        `The main lcore ${mainLcore} is not among the lcores ${known}.`,
      );
    }
    return { main, workers: specs.filter((spec) => spec !== main), usable };
  }

  constructor(chosen: ChosenLcores, host: LcoreHost) {
    const cpuOf = (spec: LcoreSpec) => spec.cpus.find((cpu) => chosen.usable.includes(cpu)) ?? -1;
    this.main = { id: chosen.main.id, cpu: cpuOf(chosen.main) };
    this.workers = chosen.workers.map((spec) => new Lcore(spec, cpuOf(spec), host));
  }

  get(id: number): Lcore {
    const lcore = this.workers.find((one) => one.id === id);
    if (lcore !== undefined) return lcore;
    const known = sentenceList(this.workers.map((one) => one.id));
    const why = id === this.main.id ? 'is the main lcore, which runs no poll function' : 'does not exist';
    throw new PollwireError('LCORE_UNKNOWN', `Lcore ${id} ${why}; worker lcores: ${known}.`);
  }

  /** Runs that are active. */
  runs(): Run<unknown>[] {
    return this.workers.flatMap((lcore) => lcore.current ?? []);
  }

  /** Resolves when every lcore that polls has ended a turn since the call. */
  async sync(): Promise<void> {
    await Promise.all(this.workers.map((lcore) => lcore.sync()));
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.runs().map((run) => run.stop().catch(() => undefined)));
  }

  /** Ends all threads. */
  async close(): Promise<void> {
    await Promise.all(this.workers.map((lcore) => lcore.close()));
    for (const lcore of this.workers) lcore.free();
  }

  abandon(): void {
    for (const lcore of this.workers) lcore.abandon();
  }
}
