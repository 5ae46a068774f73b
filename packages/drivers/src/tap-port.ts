/**
 * The device behind net_tap and net_tun ports: an interface of the kernel whose other end is this port. One descriptor per queue pair;
 * the first one lives as long as the port. Made by tap.ts and tun.ts for every attach.
 */
import type {
  Device,
  Limits,
  LinkStatus,
  PortConfig,
  ProbeContext,
  QueueEnd,
  RxQueueSetup,
} from '@pollwire/ethdev';
import { formatMac, RX_OFFLOADS, randomMac } from '@pollwire/ethdev';
import type { LinkFacts } from '@pollwire/native';
import { native, PollwireError, SlotClosed, toPollwireError } from '@pollwire/native';
import { NetInterface } from './net-interface.js';
import type { StatQueue } from './queue-stats.js';
import { queueStats } from './queue-stats.js';
import type { OpenTap, TapWish } from './tap-open.js';
import { openTap, openTapQueue } from './tap-open.js';

export const MAX_TAP_PAIRS = 16;

export interface TapPortOptions {
  readonly iface: string;
  readonly tun: boolean;
  readonly tso: boolean;
  readonly persist: boolean;
  /** undefined: what the interface has, or a random one. */
  readonly mac: Uint8Array | undefined;
}

/** Interfaces of this process's ports: the kernel would take a second port for a further queue of the first. */
const inUse = new Set<string>();

interface Pair {
  readonly fd: number;
  /** Queue ends on it. */
  users: number;
}

export class TapPort implements Device {
  readonly mac: Uint8Array;
  readonly link: Partial<LinkStatus> = { up: false, speed: 10_000, duplex: 'full', autoneg: false };
  readonly limits: Partial<Limits>;
  readonly #ctx: ProbeContext<unknown>;
  readonly #options: TapPortOptions;
  readonly #wish: TapWish;
  readonly #tap: OpenTap;
  readonly #iface: NetInterface;
  readonly #pairs = new Map<number, Pair>();
  readonly #slots = new Map<number, StatQueue>();
  #mtu = 1500;
  /** The port is started and its link not set down. */
  #linkWanted = true;
  #started = false;
  #gone = false;

  constructor(ctx: ProbeContext<unknown>, options: TapPortOptions) {
    this.#ctx = ctx;
    this.#options = options;
    this.#wish = { device: ctx.name, iface: options.iface, tun: options.tun };
    if (inUse.has(options.iface)) {
      const why = 'another port of this program has it; choose another name';
      throw new PollwireError('ALREADY_EXISTS', `${ctx.name}: iface=${options.iface}: ${why}.`);
    }
    this.#tap = openTap(this.#wish);
    try {
      const { fd, name } = this.#tap;
      const facts = native.linkFacts(name);
      if (facts === undefined) throw new PollwireError('NOT_FOUND', `${ctx.name}: ${name} is gone already.`);
      this.#iface = new NetInterface(facts, {
        changed: (now) => this.#changed(now),
        gone: () => this.#lost(),
      });
      // Before anything can be sent there.
      native.tapCarrier(fd, false);
      native.tapOffload(fd, !options.tun, options.tso);
      if (options.persist) native.tapPersist(fd, true);
      this.mac = this.#address(facts);
      this.#mtu = facts.mtu;
    } catch (error) {
      this.#release();
      throw error;
    }
    inUse.add(this.#tap.name);
    const most = this.#tap.multiQueue ? MAX_TAP_PAIRS : 1;
    this.limits = { rxQueues: most, txQueues: most };
    ctx.log.info(`${ctx.name} is the other end of ${this.#tap.name}`);
  }

  configure(config: PortConfig): void {
    // The port's MTU is 1500 until somebody sets it; an interface that was there before keeps its own.
    const lro = (config.rxOffloads & (1 << RX_OFFLOADS.TCP_LRO)) !== 0;
    if (!this.#gone && !this.#options.tun) native.tapOffload(this.#tap.fd, true, this.#options.tso || lro);
    if (config.mtu !== 1500 && config.mtu !== this.#mtu) this.setMtu(config.mtu);
  }

  rxQueue(queue: number, setup: RxQueueSetup): QueueEnd {
    const strip = (setup.offloads & (1 << RX_OFFLOADS.VLAN_STRIP)) !== 0;
    return this.#queue({ direction: 'rx', queue }, (slot, fd) =>
      native.bindTapRx(slot, fd, setup.pool.index, this.#ctx.portId, this.#options.tun, strip),
    );
  }

  txQueue(queue: number): QueueEnd {
    return this.#queue({ direction: 'tx', queue }, (slot, fd) =>
      native.bindTapTx(slot, fd, this.#options.tun),
    );
  }

  start(): void {
    this.#started = true;
    this.#applyLink();
    if (!this.#iface.facts.adminUp && !this.#gone) this.#tryUp();
  }

  stop(): void {
    this.#started = false;
    this.#applyLink();
  }

  setLink(up: boolean): void {
    this.#linkWanted = up;
    this.#applyLink();
  }

  setMtu(mtu: number): void {
    this.#privileged(() => this.#iface.setMtu(mtu), `ip link set dev ${this.#tap.name} mtu ${mtu}`);
    this.#mtu = mtu;
  }

  setMac(mac: Uint8Array): void {
    if (this.#options.tun || this.#gone) return;
    if (Buffer.compare(this.#iface.facts.mac, mac) === 0) return;
    this.#privileged(
      () => this.#iface.setMac(mac),
      `ip link set dev ${this.#tap.name} address ${formatMac(mac)}`,
    );
  }

  close(): void {
    this.#release();
  }

  xstats(): Iterable<readonly [string, bigint]> {
    return queueStats(this.#slots);
  }

  info(): Record<string, string> {
    const { facts } = this.#iface;
    return {
      iface_name: facts.name,
      iface_index: String(facts.index),
      iface_mtu: String(facts.mtu),
      iface_up: facts.adminUp ? '1' : '0',
      carrier: facts.carrier ? '1' : '0',
      persist: this.#options.persist || this.#tap.adopted ? '1' : '0',
      queues_open: String(Math.max(1, this.#pairs.size)),
      kernel_may_leave: this.#options.tun ? '' : `checksums${this.#options.tso ? ', TCP segmentation' : ''}`,
      present: this.#gone ? '0' : '1',
    };
  }

  /** The interface's address is the port's, as DPDK has it. */
  #address(facts: LinkFacts): Uint8Array {
    const { tun, mac } = this.#options;
    if (tun) return mac ?? randomMac();
    const wanted = mac ?? (this.#tap.adopted ? facts.mac : randomMac());
    if (Buffer.compare(wanted, facts.mac) !== 0) native.linkSetMac(facts.index, wanted);
    return Uint8Array.from(wanted);
  }

  #queue(which: StatQueue, bind: (slot: number, fd: number) => void): QueueEnd {
    const id = which.queue;
    const pair = this.#pairs.get(id) ?? this.#openPair(id);
    const slot = this.#ctx.slot();
    bind(slot, pair.fd);
    pair.users++;
    this.#slots.set(slot, which);
    const release = () => {
      this.#slots.delete(slot);
      pair.users--;
      if (pair.users > 0) return;
      this.#pairs.delete(id);
      if (id > 0) native.closeFd(pair.fd);
    };
    return { kind: 'native', slot, release };
  }

  #openPair(id: number): Pair {
    const pair = { fd: id === 0 ? this.#tap.fd : openTapQueue(this.#wish, this.#iface.facts.name), users: 0 };
    this.#pairs.set(id, pair);
    return pair;
  }

  #applyLink(): void {
    if (this.#gone) return;
    native.tapCarrier(this.#tap.fd, this.#started && this.#linkWanted);
    this.#iface.refresh();
  }

  #tryUp(): void {
    try {
      this.#iface.setUp(true);
    } catch (error) {
      const { name } = this.#tap;
      this.#ctx.log.warn(`${name} is down: ${(error as Error).message}; type: ip link set dev ${name} up`);
    }
  }

  /** Settings that belong to the interface and not to the descriptor. */
  #privileged(act: () => void, byHand: string): void {
    try {
      act();
    } catch (thrown) {
      const error = toPollwireError(thrown);
      if (error.code !== 'PERMISSION_DENIED') throw error;
      const text = `${this.#ctx.name}: this needs CAP_NET_ADMIN; run as root, or type: ${byHand}.`;
      throw new PollwireError('PERMISSION_DENIED', text, { cause: thrown });
    }
  }

  #changed({ adminUp, carrier }: LinkFacts): void {
    this.#ctx.link({ up: adminUp && carrier });
  }

  /** Not there any more: moved to another network namespace, which leaves the descriptors alone, or deleted. */
  #lost(): void {
    if (native.tapIsAttached(this.#tap.fd)) {
      this.#ctx.log.notice(
        `${this.#tap.name} went to another network namespace: packets go on, its state is not seen from here`,
      );
      return;
    }
    this.#gone = true;
    for (const slot of this.#slots.keys()) native.slotClose(slot, SlotClosed.BROKEN);
    this.#ctx.log.warn(`${this.#tap.name} was deleted: the port is broken, detach it`);
    this.#ctx.link({ up: false });
    this.#ctx.removed();
  }

  #release(): void {
    this.#iface?.close();
    if (this.#tap !== undefined) {
      native.closeFd(this.#tap.fd);
      inUse.delete(this.#tap.name);
    }
  }
}
