/**
 * A stream at work: receive and send with everything every engine needs around them (counters, retry, burst histograms, packet dump).
 * Made by forward-lcore.ts (and by tests), used by engines. Nothing here allocates while the verbose level is 0.
 */
import type { Burst, RxQueueRef, TxQueueRef } from '@pollwire/ethdev';
import type { StreamData } from '../forward-data.js';
import { STREAM } from '../forward-data.js';
import { delay } from './delay.js';
import { dumpBurst } from './dump.js';
import type { EngineContext } from './engine.js';

export interface StreamEnds {
  rx: RxQueueRef;
  tx: TxQueueRef;
  /** This stream's doubles, indexed by STREAM. */
  counters: Float64Array;
}

export class Stream {
  readonly data: StreamData;
  readonly burst: Burst;
  /** Most packets per burst. */
  readonly size: number;
  /** MAC address of the transmit port. */
  readonly ownMac: Uint8Array;
  private readonly rx: RxQueueRef;
  private readonly tx: TxQueueRef;
  private readonly ctx: EngineContext;
  private readonly counters: Float64Array;
  private readonly control: EngineContext['control'];
  private readonly histogram: boolean;
  private readonly retries: number;
  private readonly retryDelayUs: number;

  constructor(data: StreamData, ends: StreamEnds, ctx: EngineContext) {
    const { settings } = ctx;
    this.data = data;
    this.ctx = ctx;
    this.size = settings.burst;
    this.burst = ctx.burst(Math.max(1, settings.burst));
    this.ownMac = ctx.macOf(data.txPort);
    this.rx = ends.rx;
    this.tx = ends.tx;
    this.counters = ends.counters;
    this.control = ctx.control;
    this.histogram = settings.recordBursts;
    this.retries = settings.retry ? settings.retryCount : 0;
    this.retryDelayUs = settings.retryDelayUs;
  }

  /** Slots for a fused receive and send, or undefined when something must happen in between: scripts, retries. */
  get fused(): { rx: number; tx: number } | undefined {
    const rx = this.rx.view.slot;
    const tx = this.tx.view.slot;
    return rx >= 0 && tx >= 0 && this.retries === 0 ? { rx, tx } : undefined;
  }

  /** Level of `set verbose`, as it is now. */
  get verbose(): number {
    return this.control.verbose;
  }

  /** Receives and frees until nothing comes or `bursts` are done. Returns the number of packets. */
  flush(bursts: number): number {
    let total = 0;
    for (let i = 0; i < bursts; i++) {
      const n = this.rx.burst(this.burst, this.size);
      if (n === 0) break;
      this.burst.free(0);
      total += n;
    }
    this.add(STREAM.FLUSHED, total);
    return total;
  }

  /** Receives into `burst`; the engine owns what is there. */
  receive(): number {
    const n = this.rx.burst(this.burst, this.size);
    this.countReceived(n);
    if (n > 0 && this.verbose !== 0) this.dumpReceived(n);
    return n;
  }

  /** Sends handles[0..n) of the burst, again while retry allows; frees what is left of it. */
  send(n: number): number {
    return this.sendFrom(this.burst, n);
  }

  /** The same for another burst of the engine. */
  sendFrom(burst: Burst, n: number): number {
    if (n === 0) return 0;
    if (this.verbose > 1) this.dumpSent(burst, n);
    let sent = this.tx.burst(burst, n, 0);
    if (sent < n && this.retries > 0) sent = this.retry(burst, n, sent);
    this.countSent(sent, n);
    if (sent < n) burst.free(sent);
    return sent;
  }

  /**
   * Sends what the stream's burst holds. What the port refuses stays there for the next turn, and counts as dropped, like packets that
   * are thrown away and made anew; without the work of doing so while the other side is slow. Returns how many were offered.
   */
  offer(): number {
    const { burst } = this;
    const { first } = burst;
    const n = burst.length - first;
    if (n === 0) return 0;
    if (first === 0 && (this.retries > 0 || this.verbose > 1)) {
      this.send(n);
      return n;
    }
    this.countSent(this.tx.burst(burst, n, first), n);
    return n;
  }

  countReceived(n: number): void {
    if (this.histogram) this.add(STREAM.RX_BURSTS + n, 1);
    if (n !== 0) this.add(STREAM.RX, n);
  }

  countSent(sent: number, of: number): void {
    if (this.histogram) this.add(STREAM.TX_BURSTS + sent, 1);
    this.add(STREAM.TX, sent);
    if (sent < of) this.add(STREAM.DROPPED, of - sent);
  }

  /** Adds to one of the STREAM counters. */
  add(counter: number, by: number): void {
    this.counters[counter] = (this.counters[counter] as number) + by;
  }

  private retry(burst: Burst, n: number, already: number): number {
    let sent = already;
    for (let i = 0; i < this.retries && sent < n; i++) {
      delay(this.retryDelayUs);
      sent += this.tx.burst(burst, n - sent, sent);
    }
    return sent;
  }

  private dumpReceived(n: number): void {
    if (this.verbose !== 1 && this.verbose <= 2) return;
    dumpBurst(this.ctx, this.burst, n, { port: this.data.rxPort, queue: this.data.rxQueue, received: true });
  }

  private dumpSent(burst: Burst, n: number): void {
    dumpBurst(this.ctx, burst, n, { port: this.data.txPort, queue: this.data.txQueue, received: false });
  }
}
