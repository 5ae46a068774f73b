/**
 * Queues as the isolate that polls them sees them: one native call per burst, one branch for everything unusual (callbacks, script
 * queues; queue-slow.ts). Obtained from PortRef (lcores) or Port (main isolate). One lcore per queue and direction at a time.
 */
import { native } from '@pollwire/native';
import type { Burst } from './burst.js';
import type { HeaderEdit } from './header-edit.js';
import type { IsolateEnv } from './isolate.js';
import type { RxCallback, TxCallback } from './queue-slow.js';
import { RxSlow, TxSlow } from './queue-slow.js';

/** A queue direction as data: made by the main isolate, survives structured clone. */
export interface QueueView {
  readonly port: number;
  readonly id: number;
  readonly rx: boolean;
  /** Native slot; -1 for a script queue. */
  readonly slot: number;
  /** Byte offset of the counters. */
  readonly counters: number;
  /** Script queue: byte offset of its control word (0 = open; bits of SlotClosed otherwise). */
  readonly gate: number;
  readonly module?: string | undefined;
  readonly data?: unknown;
  /** A sleeping lcore can be woken by it (capability rxInterrupt). */
  readonly interrupt: boolean;
  /** rx: name of the pool. */
  readonly pool?: string | undefined;
}

export class RxQueueRef {
  readonly port: number;
  readonly id: number;
  readonly view: QueueView;
  private readonly slot: number;
  private readonly receive: (slot: number, word: number, count: number) => number;
  private readonly relay: (rxSlot: number, txSlot: number, word: number, count: number) => number;
  private readonly relayEdited: typeof native.forwardEdited;
  private slow: RxSlow | null;

  constructor(view: QueueView, env: IsolateEnv) {
    this.view = view;
    this.port = view.port;
    this.id = view.id;
    this.slot = view.slot;
    this.receive = native.rxBurst;
    this.relay = native.forwardBurst;
    this.relayEdited = native.forwardEdited;
    this.slow = view.slot < 0 ? new RxSlow(view, env) : null;
  }

  /**
   * Receives up to `n` packets into the burst (which must hold nothing any more): sets `length`, returns it. The caller owns them.
   * 0 when there is nothing or the port is stopped. Never blocks.
   */
  burst(burst: Burst, n = burst.capacity): number {
    const want = Math.min(n, burst.capacity);
    if (this.slow !== null) return this.slow.burst(this, burst, want);
    const got = this.receive(this.slot, burst.word, want);
    burst.first = 0;
    burst.length = got;
    return got;
  }

  /**
   * Receives, sends on `tx` and frees what that refused: a whole turn of a forwarder in one native call (two calls and a free when either
   * queue has callbacks or a script data path). The burst is scratch space and empty afterwards.
   *
   * @param edit what happens to each packet in between
   * @returns received | sent << 16
   */
  forward(tx: TxQueueRef, burst: Burst, n = burst.capacity, edit?: HeaderEdit): number {
    const txSlot = tx.directSlot;
    if (this.slow === null && txSlot >= 0) {
      const want = Math.min(n, burst.capacity);
      if (edit === undefined) return this.relay(this.slot, txSlot, burst.word, want);
      return this.relayEdited(this.slot, txSlot, burst.word, want, edit.code);
    }
    const received = this.burst(burst, n);
    edit?.apply(burst);
    const sent = tx.burst(burst);
    burst.free(sent);
    burst.clear();
    return received | (sent << 16);
  }

  /**
   * Calls `callback` after every burst of this queue in this isolate. It may drop, replace or add packets and returns the new count.
   * @returns removes it again; takes effect at the next burst
   */
  addCallback(callback: RxCallback, where: 'first' | 'last' = 'last'): () => void {
    this.slow ??= new RxSlow(this.view, undefined);
    const slow = this.slow;
    slow.add(callback, where);
    return () => {
      if (slow.remove(callback) && this.slow === slow) this.slow = null;
    };
  }

  /** Ends the script end, if any. */
  close(): void {
    this.slow?.close();
  }

  /** For a queue that is going away: every later burst through this object returns 0, whatever its slot is reused for. */
  retire(): void {
    this.close();
    this.slow = new RxSlow({ ...this.view, slot: -1 }, undefined);
  }
}

export class TxQueueRef {
  readonly port: number;
  readonly id: number;
  readonly view: QueueView;
  private readonly slot: number;
  private readonly transmit: (slot: number, word: number, count: number) => number;
  private slow: TxSlow | null;

  constructor(view: QueueView, env: IsolateEnv) {
    this.view = view;
    this.port = view.port;
    this.id = view.id;
    this.slot = view.slot;
    this.transmit = native.txBurst;
    this.slow = view.slot < 0 ? new TxSlow(view, env) : null;
  }

  /** The slot while nothing unusual is in the way of a burst, else -1. */
  get directSlot(): number {
    return this.slow === null ? this.slot : -1;
  }

  /**
   * Sends handles[from..from + n). Returns how many the driver took; it owns those, the caller still owns the rest
   * (`burst.free(from + sent)` drops it, `burst(b, rest, from + sent)` tries again). Never blocks.
   */
  burst(burst: Burst, n = burst.length, from = 0): number {
    const most = burst.length - from;
    const want = Math.min(n, most);
    if (want <= 0) return 0;
    if (this.slow !== null) return this.slow.burst(this, burst, want, from);
    const sent = this.transmit(this.slot, burst.word + from, want);
    burst.first = from + sent;
    return sent;
  }

  /**
   * Calls `callback` before every burst of this queue in this isolate, with the range about to be sent. It may free and remove packets
   * (moving the rest together) and returns how many are left; what it removed counts as sent for the caller.
   * @returns removes it again; takes effect at the next burst
   */
  addCallback(callback: TxCallback, where: 'first' | 'last' = 'last'): () => void {
    this.slow ??= new TxSlow(this.view, undefined);
    const slow = this.slow;
    slow.add(callback, where);
    return () => {
      if (slow.remove(callback) && this.slow === slow) this.slow = null;
    };
  }

  /** Ends the script end, if any. */
  close(): void {
    this.slow?.close();
  }

  /** For a queue that is going away: every later burst through this object returns 0, whatever its slot is reused for. */
  retire(): void {
    this.close();
    this.slow = new TxSlow({ ...this.view, slot: -1 }, undefined);
  }
}
