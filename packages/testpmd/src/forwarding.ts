/**
 * Packet forwarding as a whole: plans streams, launches forward-lcore.ts on the lcores, stops them, and knows what the statistics were when it
 * began. Called by commands and by the start-up.
 */
import type { Eal, LcoreStats, Run } from '@pollwire/ethdev';
import { PollwireError } from '@pollwire/native';
import { describeForwardConfig, describeRxTx } from './describe-forwarding.js';
import { messageOf } from './errors.js';
import type { ForwardData, ForwardMessage, StreamData } from './forward-data.js';
import { streamDoubles } from './forward-data.js';
import { ForwardBaseline } from './forward-stats.js';
import type { Output } from './output.js';
import { segmentRoom } from './pools.js';
import type { PortControl } from './ports.js';
import { formatForwardConfig } from './report/forward-config.js';
import type { ForwardReport } from './report/forward-stats.js';
import { formatForwardStats } from './report/forward-stats.js';
import { formatRxTxConfig } from './report/rxtx-config.js';
import type { Settings } from './settings.js';
import { peerOf } from './settings.js';
import type { ForwardPlan, StreamPlan } from './streams.js';
import { planStreams } from './streams.js';
import { segmentLengths } from './values.js';

const LCORE_MODULE = new URL('./forward-lcore.js', import.meta.url);

/** One lcore at work. */
interface Shift {
  lcore: number;
  streams: StreamPlan[];
  run: Run<undefined>;
  stats(): LcoreStats;
}

/** Forwarding as it was started; kept after stop for `show fwd stats`. */
interface Session {
  plan: ForwardPlan;
  /** Settings in force, copied at the start. */
  settings: Settings;
  shifts: Shift[];
  baseline: ForwardBaseline;
}

export interface ForwardingDeps {
  eal: Eal;
  settings: Settings;
  out: Output;
  ports: () => PortControl;
  /** Name of the pool for generated packets. */
  pool: string;
}

export class Forwarding {
  private readonly deps: ForwardingDeps;
  private session: Session | undefined;
  private active = false;
  /** Set while lcores are being stopped. */
  private ending: Promise<void> | undefined;

  constructor(deps: ForwardingDeps) {
    this.deps = deps;
  }

  get running(): boolean {
    return this.active;
  }

  /** Whether a running lcore moves packets of this port. */
  isForwarding(port: number): boolean {
    return this.active && this.session?.plan.ports.includes(port) === true;
  }

  /** Lcores that may forward, in order. */
  lcores(): number[] {
    return this.deps.settings.coreList ?? this.deps.eal.lcores.map((lcore) => lcore.id);
  }

  /** Ports that forward, in order: those chosen and present, else all. */
  forwardingPorts(): number[] {
    const { settings, ports } = this.deps;
    const present = ports().ids();
    const chosen = settings.portList?.filter((id) => present.includes(id)) ?? present;
    return settings.nbPorts === undefined ? chosen : chosen.slice(0, settings.nbPorts);
  }

  /** What `start` would do now, or what is being done. */
  plan(): ForwardPlan {
    if (this.active && this.session !== undefined) return this.session.plan;
    const { settings } = this.deps;
    return planStreams({
      ports: this.forwardingPorts(),
      topology: settings.topology,
      rxq: settings.rxq,
      txq: settings.txq,
      engine: settings.engine,
      lcores: this.lcores(),
      nbCores: settings.nbCores,
    });
  }

  /** Prints `show config fwd`. */
  showConfig(): void {
    const { settings, out } = this.deps;
    const inForce = this.active ? (this.session?.settings ?? settings) : settings;
    out.write(formatForwardConfig(describeForwardConfig(this.plan(), inForce)));
  }

  /** Prints `show config rxtx`. */
  showRxTx(): void {
    const { settings, out, ports } = this.deps;
    out.write(formatRxTxConfig(describeRxTx(this.plan(), settings, (id) => ports().get(id))));
  }

  /** @param txFirst txonly bursts per stream before the engine */
  async start(txFirst = 0): Promise<boolean> {
    const { settings, out, ports } = this.deps;
    if (this.active) {
      out.error('Packet forwarding already started');
      return false;
    }
    const plan = this.plan();
    const refusal = this.refusal(plan);
    if (refusal !== undefined) {
      out.error(refusal);
      return false;
    }
    this.active = true;
    this.session = {
      plan,
      settings: { ...settings },
      shifts: [],
      baseline: new ForwardBaseline(plan, ports()),
    };
    this.showConfig();
    this.showRxTx();
    try {
      await this.launch(this.session, txFirst);
      return true;
    } catch (error) {
      out.error(messageOf(error));
      await this.endShifts(this.session);
      this.active = false;
      return false;
    }
  }

  private refusal(plan: ForwardPlan): string | undefined {
    const { settings, ports } = this.deps;
    if (plan.ports.length === 0)
      return 'There is no port to forward on; add one with: port attach <driver><number>[,arguments]';
    if (plan.lcores.length === 0) return 'There is no lcore to forward on; start with two or more (-l 0,1)';
    if (!ports().allStarted(plan.ports)) return 'Not all ports were started';
    try {
      segmentLengths('txpkts', settings.traffic.segments.join(','), segmentRoom(settings));
    } catch (error) {
      return messageOf(error);
    }
    return undefined;
  }

  private async launch(session: Session, txFirst: number): Promise<void> {
    const { eal, settings } = this.deps;
    for (const { lcore, streams } of session.plan.lcores) {
      const data = this.launchData(streams, txFirst);
      const worker = eal.lcore(lcore);
      const run = worker.launch<undefined>(LCORE_MODULE, data, {
        idle: settings.idle,
        cycles: settings.recordCycles,
      });
      session.shifts.push({ lcore, streams, run, stats: () => worker.stats() });
    }
    await Promise.all(session.shifts.map(({ run }) => run.started));
  }

  private launchData(streams: readonly StreamPlan[], txFirst: number): ForwardData {
    const { settings, pool } = this.deps;
    const { engine, burst, retry, retryDelayUs, retryCount, recordBursts } = settings;
    const { traffic, noisy, checksum, tso, txVlan } = settings;
    const run = { burst, retry, retryDelayUs, retryCount, recordBursts, pool };
    return {
      engine,
      settings: { ...run, traffic, noisy, checksum, tso, txVlan },
      streams: streams.map((stream): StreamData => ({ ...stream, peer: peerOf(settings, stream.txPort) })),
      verbose: settings.verbose,
      flush: settings.flushRx,
      txFirst,
    };
  }

  /** Stops lcores and prints what they did. A second call meanwhile waits for the first. */
  async stop(): Promise<void> {
    const { session } = this;
    if (!this.active || session === undefined) {
      this.deps.out.error('Packet forwarding not started');
      return;
    }
    this.ending ??= this.end(session).finally(() => {
      this.ending = undefined;
    });
    await this.ending;
  }

  private async end(session: Session): Promise<void> {
    const { out } = this.deps;
    out.write('Telling cores to stop...\nWaiting for lcores to finish...\n');
    await this.endShifts(session);
    this.active = false;
    out.write(`${formatForwardStats(session.baseline.report(this.measure(session)))}\nDone.\n`);
  }

  private async endShifts(session: Session): Promise<void> {
    // An lcore that failed has been reported by its event already.
    await Promise.all(session.shifts.map(({ run }) => run.stop().catch(() => undefined)));
  }

  /** What forwarding has done since it started or was cleared; undefined when it never started. */
  report(): ForwardReport | undefined {
    const { session } = this;
    if (session === undefined) return undefined;
    return session.baseline.report(this.measure(session));
  }

  showStats(): void {
    const report = this.report();
    if (report === undefined) this.deps.out.error('Packet forwarding not started');
    else this.deps.out.write(formatForwardStats(report));
  }

  clearStats(): void {
    const { session } = this;
    session?.baseline.reset(this.measure(session));
  }

  /** `clear port stats` set the counters of a port back. */
  portCleared(port: number): void {
    this.session?.baseline.portCleared(port);
  }

  /** Obeyed by running lcores from the next burst on. */
  setVerbose(level: number): void {
    if (!this.active) return;
    const message: ForwardMessage = { verbose: level };
    for (const { run } of this.session?.shifts ?? []) {
      try {
        run.post(message);
      } catch (error) {
        // The lcore failed in the meantime.
        if (!(error instanceof PollwireError)) throw error;
      }
    }
  }

  private measure(session: Session) {
    const each = streamDoubles(session.settings.recordBursts);
    const streams = session.shifts.flatMap(({ streams: mine, run }) => {
      const all = run.counters();
      return mine.map((stream, i) => ({ stream, counters: all.slice(i * each, (i + 1) * each) }));
    });
    return {
      engine: session.settings.engine,
      recordBursts: session.settings.recordBursts,
      streams,
      ...(session.settings.recordCycles
        ? { busyCycles: session.shifts.reduce((sum, shift) => sum + shift.stats().busyCycles, 0) }
        : {}),
    };
  }
}
