/** The device behind a net_pcap port: the files of its queues. Made by pcap.ts for every attach. */
import type { Device, Limits, ProbeContext, QueueEnd, RxQueueSetup } from '@pollwire/ethdev';
import { native, PollwireError, toPollwireError } from '@pollwire/native';
import type { StatQueue } from './queue-stats.js';
import { queueStats } from './queue-stats.js';

export interface PcapArgs {
  readonly rx_pcap: readonly string[] | undefined;
  readonly tx_pcap: readonly string[] | undefined;
  readonly infinite_rx: boolean;
  readonly snaplen: number;
}

export class PcapPort implements Device {
  readonly link = { up: true, speed: 10_000, duplex: 'full', autoneg: false } as const;
  readonly limits: Partial<Limits>;
  readonly #ctx: ProbeContext<PcapArgs>;
  readonly #rx: readonly string[];
  readonly #tx: readonly string[];
  /** Packets in each file to receive from. */
  readonly #packets: number[] = [];
  /** Open files to send to. */
  readonly #fds: number[] = [];
  readonly #slots = new Map<number, StatQueue>();

  constructor(ctx: ProbeContext<PcapArgs>, maxQueues: number) {
    this.#ctx = ctx;
    const { rx_pcap: rx = [], tx_pcap: tx = [], snaplen } = ctx.args;
    const refuse = (why: string): never => {
      throw new PollwireError('DEVARG_VALUE', `${ctx.name}: ${why}.`);
    };
    if (rx.length + tx.length === 0) refuse('there is no file; give rx_pcap=…, tx_pcap=… or both');
    if (Math.max(rx.length, tx.length) > maxQueues)
      refuse(`there are more than ${maxQueues} files; leave some out`);
    const twice = tx.find((file, i) => tx.indexOf(file) !== i || rx.includes(file));
    if (twice !== undefined) refuse(`tx_pcap=${twice} is used already; give each queue a file of its own`);
    this.#rx = rx;
    this.#tx = tx;
    // A port without files in one direction has a queue there all the same: nothing arrives, or all is dropped.
    this.limits = { rxQueues: Math.max(1, rx.length), txQueues: Math.max(1, tx.length) };
    try {
      for (const file of rx) this.#packets.push(native.pcapPackets(file));
      for (const file of tx) this.#fds.push(native.pcapCreate(file, snaplen));
    } catch (thrown) {
      this.close();
      const error = toPollwireError(thrown);
      throw new PollwireError(error.code, `${ctx.name}: ${error.message}.`, {
        cause: thrown,
        errno: error.errno,
      });
    }
  }

  rxQueue(queue: number, { pool }: RxQueueSetup): QueueEnd {
    const file = this.#rx[queue];
    return this.#queue({ direction: 'rx', queue }, (slot) => {
      if (file === undefined) return;
      native.bindPcapRx(slot, file, pool.index, this.#ctx.portId, this.#ctx.args.infinite_rx);
    });
  }

  txQueue(queue: number): QueueEnd {
    const fd = this.#fds[queue];
    return this.#queue({ direction: 'tx', queue }, (slot) => {
      if (fd === undefined) native.bindNullTx(slot, false);
      else native.bindPcapTx(slot, fd, this.#ctx.args.snaplen);
    });
  }

  start(): void {}
  stop(): void {}

  close(): void {
    for (const fd of this.#fds.splice(0)) native.closeFd(fd);
  }

  xstats(): Iterable<readonly [string, bigint]> {
    return queueStats(this.#slots);
  }

  info(): Record<string, string> {
    return {
      ...Object.fromEntries(
        this.#rx.map((file, i) => [`rx_pcap_${i}`, `${file} (${this.#packets[i]} packets)`]),
      ),
      ...Object.fromEntries(this.#tx.map((file, i) => [`tx_pcap_${i}`, file])),
      infinite_rx: this.#ctx.args.infinite_rx ? '1' : '0',
    };
  }

  #queue(which: StatQueue, bind: (slot: number) => void): QueueEnd {
    const slot = this.#ctx.slot();
    bind(slot);
    this.#slots.set(slot, which);
    return { kind: 'native', slot, release: () => this.#slots.delete(slot) };
  }
}
