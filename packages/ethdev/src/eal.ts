/**
 * The environment of a program: arena, lcores, drivers, ports, pools and rings of one process. `await Eal.init(options)` is the first call,
 * `await eal.close()` the last; one at a time.
 */
import type { ArenaInfo } from '@pollwire/native';
import { arena, native, PollwireError } from '@pollwire/native';
import { Burst } from './burst.js';
import type { DevargsObject } from './devargs.js';
import type { Driver } from './driver.js';
import type { EalOptions } from './eal-args.js';
import { parseEalArgs } from './eal-args.js';
import { TypedEmitter } from './events.js';
import { IsolateEnv } from './isolate.js';
import type { Lcore } from './lcore.js';
import { LcoreSet } from './lcore-set.js';
import type { Logger, LogSink } from './log.js';
import { LogRoot } from './log.js';
import type { Mbufs } from './mbuf.js';
import { MemoryObjects } from './memory-objects.js';
import type { Mempool, PoolOptions } from './mempool.js';
import { moduleUrl } from './module-path.js';
import type { PollDefinition } from './poll.js';
import type { Port } from './port.js';
import { PortTable } from './port-table.js';
import { checkDriver, DriverRegistry } from './registry.js';
import { RetirementHome } from './retire.js';
import type { Ring, RingOptions } from './ring.js';
import { Stepper } from './stepper.js';

export type EalEvents = {
  /** A port was attached. */
  new: [port: Port];
  /** A port was closed. */
  destroy: [port: Port];
  intr_lsc: [port: Port];
  queue_state: [port: Port];
  intr_reset: [port: Port];
  intr_rmv: [port: Port];
  started: [port: Port];
  stopped: [port: Port];
  /** A poll function threw, its module could not be opened, or its thread died. Other lcores go on. */
  lcore_error: [error: PollwireError, lcore: Lcore];
  /** Anything without a better place, such as a listener that threw. */
  error: [error: PollwireError];
};

const DEFAULT_MEMORY_MIB = 256;
const MIB = 1 << 20;

let current: Eal | undefined;

export class Eal extends TypedEmitter<EalEvents> {
  readonly drivers = new DriverRegistry();
  readonly logs: LogRoot;
  readonly log: Logger;
  readonly arenaInfo: ArenaInfo;
  /** Prefix of run-time files. */
  readonly filePrefix: string;
  /** What this isolate uses for bursts: accessors, pools, script modules. */
  readonly env: IsolateEnv;
  private readonly lcoreSet: LcoreSet;
  private readonly memory: MemoryObjects;
  private readonly table: PortTable;
  private readonly onExit = () => this.abandon();
  private closing: Promise<void> | undefined;

  /**
   * Creates the arena and the lcores, loads drivers and attaches `vdevs`. Takes options or a command line (`process.argv.slice(2)`, read up
   * to `--`). Throws EAL_TWICE, and whatever is wrong with the options; nothing is left behind then except the arena.
   *
   * @param sink where log lines go; default stderr
   */
  static async init(options: EalOptions | readonly string[] = {}, sink?: LogSink): Promise<Eal> {
    if (current !== undefined) {
      throw new PollwireError(
        'EAL_TWICE',
        'Eal.init was called already; a process has one Eal. Close the first one.',
      );
    }
    const chosen = isArgv(options) ? parseEalArgs(options).options : options;
    const logs = new LogRoot(sink);
    for (const text of chosen.logLevels ?? []) logs.configure(text);
    const eal = new Eal(chosen, logs);
    current = eal;
    try {
      for (const driver of chosen.drivers ?? []) await eal.addDriver(driver);
      for (const vdev of chosen.vdevs ?? []) await eal.attach(vdev);
    } catch (error) {
      await eal.close();
      throw error;
    }
    return eal;
  }

  private constructor(options: EalOptions, logs: LogRoot) {
    super((error) => logs.write('eal', 'error', `${error.code}: ${error.message}`));
    this.logs = logs;
    this.log = logs.logger('eal');
    this.filePrefix = options.filePrefix ?? 'pollwire';
    const specs = LcoreSet.choose(options);
    this.arenaInfo = openArena(options, this.log);
    const retired = new RetirementHome(() => this.lcoreSet.runs());
    this.memory = new MemoryObjects();
    this.env = new IsolateEnv({
      lcore: specs.main.id,
      log: this.log,
      pools: () => this.memory.pools.values(),
      rings: () => this.memory.rings.values(),
      scriptFailed: (view, error) => this.port(view.port)?.reportError(error),
    });
    this.lcoreSet = new LcoreSet(specs, {
      heap: options.lcoreHeap,
      world: () => this.world(),
      log: (logger, level, text) => logs.write(logger, level, text),
      scriptFailed: (view, error) => this.port(view.port)?.reportError(error),
      lcoreFailed: (lcore, error) => this.lcoreFailed(lcore, error),
      runEnded: (run) => retired.ended(run),
    });
    this.table = new PortTable(this, {
      env: this.env,
      quiesce: () => this.lcoreSet.sync(),
      retireSlot: (slot, freed) => retired.slot(slot, freed),
      retireBlock: (offset) => retired.block(offset),
      defaultPool: () => this.defaultPool(),
      portEvent: (event, port) => void this.emitSafe(event, port),
      errorSink: (error) => this.emitSafe('error', error),
    });
    process.on('exit', this.onExit);
  }

  // Drivers and ports.

  /** Registers a driver. Throws DRIVER_INVALID, DRIVER_EXISTS. */
  use(driver: Driver): this {
    this.drivers.add(driver);
    return this;
  }

  /** Imports a module (package, path or URL) that exports one driver, or several as an array, by default or as `drivers`. */
  async useModule(module: string | URL): Promise<Driver[]> {
    const drivers = await importDrivers(module);
    for (const driver of drivers) this.use(driver);
    return drivers;
  }

  /**
   * Makes a port of a device: 'net_null0,size=128' or `{ driver: 'net_null', id: 0, args: { size: 128 } }`. Resolves when it is ready to be
   * configured (or started as it is). Throws DEVARGS_SYNTAX, DRIVER_UNKNOWN, DEVARG_*, PORT_EXISTS, PORT_LIMIT, or what the driver throws.
   */
  attach(device: string | DevargsObject): Promise<Port> {
    this.checkOpen();
    return this.table.attach(device);
  }

  /** Stops and closes a port and forgets it. Throws PORT_UNKNOWN. */
  async detach(port: Port | number | string): Promise<void> {
    await this.table.detach(port);
  }

  get ports(): ReadonlyMap<number, Port> {
    return this.table.ports;
  }

  /** By id or device name. */
  port(idOrName: number | string): Port | undefined {
    return this.table.find(idOrName);
  }

  // Lcores.

  /** Worker lcores, without the main one. */
  get lcores(): readonly Lcore[] {
    return this.lcoreSet.workers;
  }

  get mainLcore(): { readonly id: number; readonly cpu: number } {
    return this.lcoreSet.main;
  }

  /** A worker lcore by id. Throws LCORE_UNKNOWN naming those that exist. */
  lcore(id: number): Lcore {
    return this.lcoreSet.get(id);
  }

  /** Opens a poll function in this isolate, to be polled by hand: `stepper.poll()`. For tests and programs without lcores. */
  step<D, R, M>(definition: PollDefinition<D, R, M>, data: D): Promise<Stepper<R, M>> {
    return Stepper.open(definition, data, this.env, () => this.world());
  }

  // Pools, rings, bursts.

  /** Throws POOL_EXISTS, POOL_OPTIONS, ARENA_FULL. */
  createPool(options: PoolOptions): Mempool {
    this.checkOpen();
    return this.memory.createPool(options);
  }

  /** Throws POOL_UNKNOWN. */
  pool(name: string): Mempool {
    return this.memory.pool(name);
  }

  get pools(): ReadonlyMap<string, Mempool> {
    return this.memory.pools;
  }

  /** The pool that ports get when none is named: 'mb_pool_0', 8192 mbufs of 2176 bytes, made at first use. */
  defaultPool(): Mempool {
    return this.memory.defaultPool();
  }

  /** Throws POOL_UNKNOWN, POOL_IN_USE. */
  destroyPool(name: string): void {
    this.memory.destroyPool(name);
  }

  createRing(options: RingOptions): Ring {
    this.checkOpen();
    return this.memory.createRing(options);
  }

  get rings(): ReadonlyMap<string, Ring> {
    return this.memory.rings;
  }

  /** Throws RING_UNKNOWN. */
  ring(name: string): Ring {
    return this.memory.ring(name);
  }

  destroyRing(name: string): void {
    this.memory.destroyRing(name);
  }

  /** A burst for this isolate; keep it. */
  burst(capacity = 32): Burst {
    return new Burst(capacity);
  }

  get mbufs(): Mbufs {
    return this.env.mbufs;
  }

  // End.

  /** Stops all lcores, closes all ports, destroys pools and rings. Afterwards nothing of it keeps the process alive, and init works again. Twice is harmless. */
  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  private async shutDown(): Promise<void> {
    await this.lcoreSet.stopAll();
    for (const port of [...this.ports.values()]) {
      await this.detach(port).catch((error: unknown) =>
        this.log.error(`closing port ${port.id}: ${(error as Error).message}`),
      );
    }
    await this.lcoreSet.close();
    for (const complaint of this.memory.destroyAll()) this.log.warn(complaint);
    process.off('exit', this.onExit);
    if (current === this) current = undefined;
  }

  /** The process is exiting: only what works without waiting. */
  private abandon(): void {
    this.lcoreSet.abandon();
    for (const port of this.ports.values()) {
      try {
        port.abandon();
      } catch {
        // Nothing can be done about it any more.
      }
    }
  }

  private async addDriver(driver: unknown): Promise<void> {
    if (typeof driver === 'string' || driver instanceof URL) await this.useModule(driver);
    else {
      checkDriver(driver);
      this.use(driver);
    }
  }

  private world() {
    return {
      ports: [...this.ports.values()].map((port) => port.view()),
      pools: [...this.memory.pools.values()].map(({ name, index }) => ({ name, index })),
      rings: [...this.memory.rings.values()].map(({ name, index, size }) => ({ name, index, size })),
    };
  }

  private lcoreFailed(lcore: Lcore, error: PollwireError): void {
    if (this.emitSafe('lcore_error', error, lcore)) return;
    this.log.error(`${error.code}: ${error.message}\n${error.stack ?? ''}`);
  }

  private checkOpen(): void {
    if (this.closing !== undefined)
      throw new PollwireError('EAL_CLOSED', 'This Eal is closed; call Eal.init again.');
  }
}

function isArgv(options: EalOptions | readonly string[]): options is readonly string[] {
  return Array.isArray(options);
}

/** Creates the arena, or takes the one that an earlier Eal of this process left. */
function openArena(options: EalOptions, log: Logger): ArenaInfo {
  const mib = options.memory ?? DEFAULT_MEMORY_MIB;
  if (!Number.isInteger(mib) || mib < 16 || mib > 4096) {
    throw new PollwireError('EAL_MEMORY', `Arena of ${mib} MiB; 16 to 4096 are possible (option -m).`);
  }
  const existing = native.arenaInfo();
  if (existing !== undefined) {
    if (existing.bytes < mib * MIB && options.memory !== undefined) {
      log.notice(
        `the arena of this process has ${existing.bytes / MIB} MiB already; ${mib} MiB were asked for`,
      );
    }
    arena();
    return existing;
  }
  const info = native.arenaCreate({ bytes: mib * MIB, huge: options.huge ?? 'auto' });
  if (info.note !== '') log.warn(info.note);
  arena();
  return info;
}

async function importDrivers(module: string | URL): Promise<Driver[]> {
  let exported: { default?: unknown; drivers?: unknown };
  try {
    exported = (await import(moduleUrl(module))) as typeof exported;
  } catch (error) {
    throw new PollwireError(
      'DRIVER_MODULE',
      `Driver module ${module} cannot be imported: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
  const found = exported.default ?? exported.drivers;
  const list: unknown[] = Array.isArray(found) ? found : [found];
  for (const one of list) checkDriver(one);
  return list as Driver[];
}
