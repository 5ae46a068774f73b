/**
 * A port seen from any isolate: queues to burst on, address and link state read from the arena. Made from a PortView, which is data and
 * can be posted. Poll functions get it from ctx.port().
 */
import { PollwireError } from '@pollwire/native';
import type { IsolateEnv } from './isolate.js';
import { PORT_BLOCK, PORT_FLAGS } from './port-block.js';
import type { QueueView } from './queue-ref.js';
import { RxQueueRef, TxQueueRef } from './queue-ref.js';

/** A port as data; survives structured clone. */
export interface PortView {
  readonly id: number;
  readonly name: string;
  readonly driverName: string;
  /** Byte offset of the port's block in the arena (port-block.ts). */
  readonly block: number;
  readonly rx: readonly QueueView[];
  readonly tx: readonly QueueView[];
}

export class PortRef {
  readonly id: number;
  readonly name: string;
  readonly driverName: string;
  readonly view: PortView;
  private readonly env: IsolateEnv;
  private readonly rx: (RxQueueRef | undefined)[] = [];
  private readonly tx: (TxQueueRef | undefined)[] = [];

  constructor(view: PortView, env: IsolateEnv) {
    this.view = view;
    this.env = env;
    this.id = view.id;
    this.name = view.name;
    this.driverName = view.driverName;
  }

  get rxQueues(): number {
    return this.view.rx.length;
  }

  get txQueues(): number {
    return this.view.tx.length;
  }

  /** The present MAC address. Allocates: read it when opening, not per packet. */
  get mac(): Uint8Array {
    return Uint8Array.from(this.env.arena.bytes(this.view.block + PORT_BLOCK.MAC, 6));
  }

  get mtu(): number {
    return this.env.arena.load(this.view.block + PORT_BLOCK.MTU);
  }

  get linkUp(): boolean {
    return (this.env.arena.load(this.view.block) & PORT_FLAGS.LINK_UP) !== 0;
  }

  get started(): boolean {
    return (this.env.arena.load(this.view.block) & PORT_FLAGS.STARTED) !== 0;
  }

  /** The same object for the same queue. Throws QUEUE_UNKNOWN. */
  rxQueue(id: number): RxQueueRef {
    this.rx[id] ??= new RxQueueRef(this.queueView('rx', id), this.env);
    return this.rx[id];
  }

  txQueue(id: number): TxQueueRef {
    this.tx[id] ??= new TxQueueRef(this.queueView('tx', id), this.env);
    return this.tx[id];
  }

  /** Queues handed out so far: what an idle strategy waits for. */
  get polled(): readonly RxQueueRef[] {
    return this.rx.filter((queue) => queue !== undefined);
  }

  /** Closes the script ends of all queues handed out. */
  close(): void {
    for (const queue of [...this.rx, ...this.tx]) queue?.close();
  }

  private queueView(direction: 'rx' | 'tx', id: number): QueueView {
    const views = this.view[direction];
    const view = views[id];
    if (view !== undefined) return view;
    const has =
      views.length === 0
        ? 'none set up'
        : views.length === 1
          ? 'only queue 0'
          : `queues 0 to ${views.length - 1}`;
    throw new PollwireError(
      'QUEUE_UNKNOWN',
      `Port ${this.id} has no ${direction} queue ${id}; it has ${has}.`,
    );
  }
}
