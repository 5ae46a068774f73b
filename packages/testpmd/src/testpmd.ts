/**
 * The application: settings, ports, forwarding and statistics of one run, from the start-up lines to `Bye...`. Commands act on it; main.ts and
 * demo.ts drive it. Library-like: it prints through its Output and never touches the process.
 */
import type { Eal, Mempool, Port } from '@pollwire/ethdev';
import { PollwireError } from '@pollwire/native';
import { watchEvents } from './events.js';
import { Forwarding } from './forwarding.js';
import type { Clock, Output } from './output.js';
import { createPools } from './pools.js';
import { PortControl } from './ports.js';
import { formatPortStats } from './report/port-stats.js';
import type { Settings } from './settings.js';
import { PortStatistics } from './statistics.js';

export interface TestpmdDeps {
  eal: Eal;
  settings: Settings;
  out: Output;
  clock: Clock;
}

export class Testpmd {
  readonly eal: Eal;
  readonly settings: Settings;
  readonly out: Output;
  readonly clock: Clock;
  readonly ports: PortControl;
  readonly forwarding: Forwarding;
  readonly statistics: PortStatistics;
  /** Drawn again after a line that nobody asked for; set by the prompt. */
  redraw: (() => void) | undefined;
  private readonly quitting = new AbortController();
  private readonly unwatch: () => void;
  private pools: Mempool[] = [];
  private ended: Promise<void> | undefined;
  /** Removals wait for each other. */
  private removals: Promise<void> = Promise.resolve();

  constructor({ eal, settings, out, clock }: TestpmdDeps) {
    this.eal = eal;
    this.settings = settings;
    this.out = out;
    this.clock = clock;
    this.statistics = new PortStatistics(clock);
    this.forwarding = new Forwarding({ eal, settings, out, ports: () => this.ports, pool: 'mb_pool_0' });
    this.ports = new PortControl({
      eal,
      settings,
      out,
      clock,
      pool: () => this.pools[0] as Mempool,
      isForwarding: (port) => this.forwarding.isForwarding(port),
      signal: this.quitting.signal,
    });
    this.unwatch = watchEvents({
      eal,
      settings,
      out,
      removed: (port) => this.deviceGone(port),
      printed: () => this.redraw?.(),
    });
  }

  /** Aborted once the program is asked to end. */
  get quitSignal(): AbortSignal {
    return this.quitting.signal;
  }

  /** Asks for the end; whoever drives the application then calls shutDown. */
  quit(): void {
    this.quitting.abort();
  }

  /** Checks settings against lcores and ports, makes pools, starts the ports. Throws a PollwireError for what cannot work. */
  async boot(): Promise<void> {
    this.checkLcores();
    this.checkPorts();
    this.pools = createPools(this.eal, this.settings, this.out);
    this.warnOddPorts();
    if (this.eal.ports.size === 0) this.out.error('testpmd: No probed ethernet devices');
    if (!this.settings.startDevices || this.eal.ports.size === 0) return;
    if (!(await this.ports.start('all'))) throw new PollwireError('PORTS_NOT_STARTED', 'Start ports failed');
  }

  private checkLcores(): void {
    const { eal, settings } = this;
    const known = eal.lcores.map((lcore) => lcore.id);
    if (known.length === 0) {
      throw new PollwireError(
        'LCORES_TOO_FEW',
        `The main lcore ${eal.mainLcore.id} never forwards and there is no other; give two, such as -l 0,1, or two on ` +
          `one CPU: --lcores '0@${eal.mainLcore.cpu},1@${eal.mainLcore.cpu}'.`,
      );
    }
    const stranger = settings.coreList?.find((id) => !known.includes(id));
    if (stranger !== undefined) {
      const why =
        stranger === eal.mainLcore.id ? 'is the main lcore, which never forwards' : 'was not given to EAL';
      throw new PollwireError(
        'LCORE_UNKNOWN',
        `--coremask: lcore ${stranger} ${why}; forwarding lcores: ${known.join(', ')}.`,
      );
    }
    if (settings.nbCores > known.length) {
      throw new PollwireError(
        'OPTION_VALUE',
        `--nb-cores=${settings.nbCores}: only ${known.length} forwarding lcore${known.length === 1 ? ' exists' : 's exist'}; ` +
          'the main lcore does not count. Give more with -l or --lcores.',
      );
    }
  }

  private checkPorts(): void {
    const { settings, eal } = this;
    const absent = settings.portList?.find((id) => !eal.ports.has(id));
    if (absent !== undefined) {
      throw new PollwireError(
        'PORT_UNKNOWN',
        `--portlist or --portmask names port ${absent}; ports: ${this.validPorts()}.`,
      );
    }
    if (settings.nbPorts !== undefined && settings.nbPorts > eal.ports.size) {
      throw new PollwireError(
        'OPTION_VALUE',
        `--nb-ports=${settings.nbPorts}: there are ${eal.ports.size} ports.`,
      );
    }
  }

  /** `[ 0 2 ]` */
  validPorts(): string {
    return `[ ${this.ports
      .ids()
      .map((id) => `${id} `)
      .join('')}]`;
  }

  /** The last of an odd number of paired ports forwards to itself. */
  warnOddPorts(): void {
    if (!this.forwarding.plan().lastPairsWithItself) return;
    this.out.write(
      '\nWarning! port-topology=paired and odd forward ports number, the last port will pair with itself.\n\n',
    );
  }

  /** The text of `show port stats` for one port. */
  portStats(port: Port): string {
    return formatPortStats(this.statistics.report(port, this.settings.displayXstats));
  }

  /** Stops forwarding, stops and closes the ports, ends the Eal. Once; later calls get the same promise. */
  shutDown(): Promise<void> {
    this.quit();
    this.ended ??= this.end();
    return this.ended;
  }

  private async end(): Promise<void> {
    await this.removals;
    if (this.forwarding.running) await this.forwarding.stop();
    await this.ports.shutDown();
    this.unwatch();
    await this.eal.close();
    this.out.write('\nBye...\n');
  }

  /** The device vanished: forwarding pauses while its port is taken out. */
  private deviceGone(port: Port): void {
    this.removals = this.removals.then(async () => {
      if (this.quitSignal.aborted) return;
      const resume = this.forwarding.isForwarding(port.id);
      if (resume) await this.forwarding.stop();
      await this.ports.removeGone(port);
      if (resume && this.forwarding.forwardingPorts().length > 0) await this.forwarding.start();
      this.redraw?.();
    });
  }
}
