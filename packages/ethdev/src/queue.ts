/**
 * Queues as the main isolate owns them: set-up checks, opening and closing with the port, pause and resume, counters, release.
 * Made by Port from what the driver's rxQueue/txQueue returned; also usable for bursts on the main thread.
 */
import { arena, native, PollwireError, SlotClosed } from '@pollwire/native';
import type { QueueEnd } from './driver.js';
import type { IsolateEnv } from './isolate.js';
import type { Mempool } from './mempool.js';
import type { DescriptorInfo } from './port-info.js';
import type { QueueView } from './queue-ref.js';
import { RxQueueRef, TxQueueRef } from './queue-ref.js';
import { COUNTERS_BYTES, QueueCounters } from './stats.js';

/** What a queue needs from its Eal. */
export interface QueueHost {
  readonly env: IsolateEnv;
  /** Resolves when every running lcore has begun a new turn. */
  quiesce(): Promise<void>;
  /** Frees `slot` once no running lcore can still name it, then calls `freed`. */
  retireSlot(slot: number, freed: () => void): void;
  /** The same for a block of the arena. */
  retireBlock(offset: number): void;
}

export interface QueueSetupInfo {
  readonly descriptors: number;
  readonly offloads: number;
  readonly pool?: Mempool | undefined;
  /** Whether a sleeping lcore can be woken by it. */
  readonly interrupt: boolean;
}

/** The state of one queue direction that does not take part in bursts. */
export class QueueControl {
  readonly view: QueueView;
  readonly counters: QueueCounters;
  /** Bytes of the block behind a script queue: control word in a line of its own, then counters. */
  private static readonly blockBytes = 64 + COUNTERS_BYTES;

  constructor(
    private readonly host: QueueHost,
    private readonly end: QueueEnd,
    id: { port: number; id: number; rx: boolean },
    readonly setup: QueueSetupInfo,
  ) {
    const common = { ...id, pool: setup.pool?.name, interrupt: setup.interrupt && end.kind === 'native' };
    if (end.kind === 'native') {
      native.slotClose(end.slot, SlotClosed.PORT_STOPPED);
      this.counters = new QueueCounters(native.slotCounters(end.slot), end.slot);
      this.view = { ...common, slot: end.slot, counters: this.counters.at, gate: 0 };
      return;
    }
    const block = native.arenaAlloc(QueueControl.blockBytes, 64, `queue ${id.port}.${id.id}`);
    arena().store(block, SlotClosed.PORT_STOPPED);
    this.counters = new QueueCounters(block + 64, -1);
    const script = { module: String(end.module), data: end.data, gate: block };
    this.view = { ...common, slot: -1, counters: this.counters.at, ...script };
  }

  /** Adds a reason to be closed; resolves when nobody is inside any more. */
  async close(reason: number): Promise<void> {
    if (this.end.kind === 'native') {
      native.slotClose(this.end.slot, reason);
      return;
    }
    arena().or(this.view.gate, reason);
    await this.host.quiesce();
  }

  open(reason: number): void {
    if (this.end.kind === 'native') native.slotOpen(this.end.slot, reason);
    else arena().clear(this.view.gate, reason);
  }

  /** Descriptors in use; -1 when unknown. */
  used(): number {
    return this.end.kind === 'native' ? native.slotUsed(this.end.slot) : -1;
  }

  /** The port is stopped. Afterwards bursts return 0 for ever; memory is reused when no lcore knows it any more. */
  release(): void {
    const { end } = this;
    if (end.kind === 'native') native.slotClose(end.slot, SlotClosed.UNBOUND);
    end.release?.();
    if (end.kind === 'native') this.host.retireSlot(end.slot, () => end.freed?.());
    else this.host.retireBlock(this.view.gate);
  }
}

export class RxQueue extends RxQueueRef {
  constructor(
    readonly control: QueueControl,
    env: IsolateEnv,
  ) {
    super(control.view, env);
  }

  get pool(): Mempool {
    return this.control.setup.pool as Mempool;
  }

  get descriptors(): number {
    return this.control.setup.descriptors;
  }

  get offloads(): number {
    return this.control.setup.offloads;
  }

  /** Stops bursts; resolves when no lcore is inside this queue. Bursts return 0 until resume(). */
  pause(): Promise<void> {
    return this.control.close(SlotClosed.PAUSED);
  }

  resume(): void {
    this.control.open(SlotClosed.PAUSED);
  }

  /** Descriptors filled and not yet received; -1 when unknown. */
  used(): number {
    return this.control.used();
  }
}

export class TxQueue extends TxQueueRef {
  constructor(
    readonly control: QueueControl,
    env: IsolateEnv,
  ) {
    super(control.view, env);
  }

  get descriptors(): number {
    return this.control.setup.descriptors;
  }

  get offloads(): number {
    return this.control.setup.offloads;
  }

  /** Stops bursts; resolves when no lcore is inside this queue. Bursts return 0 until resume(). */
  pause(): Promise<void> {
    return this.control.close(SlotClosed.PAUSED);
  }

  resume(): void {
    this.control.open(SlotClosed.PAUSED);
  }

  /** Descriptors waiting for the other side; -1 when unknown. */
  used(): number {
    return this.control.used();
  }
}

/** `count` as asked for by the application: 0 → default. Throws QUEUE_DESCRIPTORS naming the rule it breaks. */
export function checkDescriptors(port: number, what: string, count: number, info: DescriptorInfo): number {
  if (count === 0) return info.default;
  const { min, max, align, powerOfTwo } = info;
  const refuse = (rule: string): never => {
    throw new PollwireError('QUEUE_DESCRIPTORS', `Port ${port}: ${count} ${what} descriptors; ${rule}.`);
  };
  if (!Number.isInteger(count) || count < min || count > max) refuse(`${min} to ${max} are possible`);
  if (powerOfTwo && (count & (count - 1)) !== 0) refuse('the number must be a power of two');
  if (count % align !== 0) refuse(`the number must be a multiple of ${align}`);
  return count;
}
