/**
 * What a driver is: a literal made by defineDriver, and the Device that its probe returns for one port. A method that is absent is a
 * feature that is absent (the core answers PORT_ENOTSUP); numbers are checked by the core from `limits`, never by drivers.
 */
import type { PollwireError } from '@pollwire/native';
import type { ArgsOf, ArgsSchema } from './args-schema.js';
import type { Eal } from './eal.js';
import type { LinkStatus } from './link.js';
import type { Logger } from './log.js';
import type { Mempool } from './mempool.js';
import type { RxOffload, TxOffload } from './offloads.js';

/** Descriptors per queue. */
export interface DescriptorLimits {
  min: number;
  max: number;
  /** The number must be a multiple of this. Default 1. */
  align?: number;
  powerOfTwo?: boolean;
  /** Used when the application asks for 0. Default 512, clamped to the limits. */
  default?: number;
}

export interface Limits {
  rxQueues: number;
  txQueues: number;
  descriptors: DescriptorLimits;
  /** Smallest usable data room behind the headroom, bytes. Default 0. */
  minRxBuf?: number;
  /** Longest packet rx can return, bytes. */
  maxRxPktLen: number;
  /** Default 68. */
  minMtu?: number;
  /** Default 65535. */
  maxMtu?: number;
  /** MAC addresses a port can hold. Default 1. */
  macs?: number;
  /** Group addresses that setMulticastList takes. Default: any number. */
  multicastMacs?: number;
}

/** What a driver can do, as data: drives configuration checks, the conformance suite and the feature table. All default to none/false. */
export interface Capabilities {
  rxOffloads?: readonly RxOffload[];
  txOffloads?: readonly TxOffload[];
  /** tx takes packets of several segments. */
  multiSegTx?: boolean;
  /** rx may return packets of several segments. */
  multiSegRx?: boolean;
  /** Link changes are reported (intr_lsc). */
  lsc?: boolean;
  /** Removal is reported (intr_rmv). */
  rmv?: boolean;
  /** Queues are enabled and disabled by the peer (queue_state). */
  queueState?: boolean;
  /** An lcore can sleep until a queue has packets. */
  rxInterrupt?: boolean;
  /** All frames are received whatever their address: promiscuous and all-multicast modes are always on. */
  alwaysPromiscuous?: boolean;
  /** Without a peer, what is sent on a queue comes back on the same queue. */
  loopback?: boolean;
  /** Without a peer, rx yields packets and tx takes any number. */
  sourceSink?: boolean;
  /** Speeds in Mbit/s. */
  speeds?: readonly number[];
}

/** A port's configuration after checks and defaults. */
export interface PortConfig {
  readonly rxQueues: number;
  readonly txQueues: number;
  /** Largest layer 3 packet, bytes; the frame is 14 (or 18 with a VLAN tag) longer. */
  readonly mtu: number;
  /** Masks in ethdev's bit numbering (offloads.ts has the names). */
  readonly rxOffloads: number;
  readonly txOffloads: number;
  /** Whether link changes are to be reported. */
  readonly lsc: boolean;
}

export interface RxQueueSetup {
  readonly descriptors: number;
  readonly pool: Mempool;
  readonly offloads: number;
}

export interface TxQueueSetup {
  readonly descriptors: number;
  readonly offloads: number;
}

/**
 * One direction of one queue, as the driver made it.
 * `release` is called once, when no burst can be inside any more and before the device is closed.
 * 'native': a slot got from `ctx.slot()` and bound; the core opens and closes it with the port and frees it after `release`, but not
 * before the lcores that may still name it have stopped. Then it calls `freed`: the time to destroy what the slot was bound to.
 * 'script': a module whose default export is an OpenQueue; opened in every isolate that polls the queue, with `data` (structured clone).
 */
export type QueueEnd =
  | {
      readonly kind: 'native';
      readonly slot: number;
      /** What the queue has when the device, not the application, decides it. Default: what was asked for. */
      readonly descriptors?: number;
      release?(): void;
      freed?(): void;
    }
  | { readonly kind: 'script'; readonly module: string | URL; readonly data?: unknown; release?(): void };

export type Maybe = void | Promise<void>;

/** One probed device. Methods are called from the main isolate, in the order of the port's life; queue set-up comes after configure. */
export interface Device {
  /** Default: random, locally administered. */
  readonly mac?: Uint8Array | string;
  /** Link after start; changes are reported with ctx.link(). */
  readonly link?: Partial<LinkStatus>;
  /** Where this port allows less (or more) than the driver's limits in general. */
  readonly limits?: Partial<Limits>;
  /** Default 0. */
  readonly numaNode?: number;
  configure?(config: PortConfig): void;
  rxQueue(id: number, setup: RxQueueSetup): QueueEnd;
  txQueue(id: number, setup: TxQueueSetup): QueueEnd;
  start(): Maybe;
  stop(): Maybe;
  /** Releases everything; queues have been released before. Called once. */
  close(): Maybe;
  reset?(): Maybe;
  setMtu?(mtu: number): void;
  setPromiscuous?(on: boolean): void;
  setAllMulticast?(on: boolean): void;
  setMac?(mac: Uint8Array): void;
  addMac?(mac: Uint8Array): void;
  removeMac?(mac: Uint8Array): void;
  /** Replaces the group addresses that are received while all-multicast and promiscuous mode are off. */
  setMulticastList?(macs: readonly Uint8Array[]): void;
  /** Only while VLAN_FILTER is on; `id` is 0 to 4095. */
  vlanFilter?(id: number, on: boolean): void;
  /** VLAN part of the receive offloads of all queues, changed at run time: VLAN_STRIP, VLAN_FILTER, VLAN_EXTEND, QINQ_STRIP. */
  setVlanOffload?(mask: number): void;
  setLink?(up: boolean): void;
  /** Extended statistics behind the common ones. */
  xstats?(): Iterable<readonly [name: string, value: bigint | number]>;
  resetXstats?(): void;
  /** Lines of `Device private info:`. */
  info?(): Readonly<Record<string, string>>;
  /** All that is known for someone who asks why the link is down. */
  diagnose?(): Diagnosis;
}

/** What a device knows of its peer and of itself: lines for people, the same as data that JSON can hold. */
export interface Diagnosis {
  readonly lines: readonly string[];
  readonly data: unknown;
}

/** What probe gets. Everything it reports may be called at any time between probe and close. */
export interface ProbeContext<A> {
  /** Device name, 'net_null0'. */
  readonly name: string;
  readonly args: A;
  readonly portId: number;
  /** Type 'pmd.<driver name with dots>'. */
  readonly log: Logger;
  readonly eal: Eal;
  /** A fresh burst slot, closed until the port starts. Belongs to the QueueEnd it is returned in. */
  readonly slot: () => number;
  /** Changes the link; emits intr_lsc afterwards when up/down changed. */
  readonly link: (status: Partial<LinkStatus>) => void;
  /** Records that the peer enabled or disabled a queue; emits queue_state once per turn of the event loop when something is pending. */
  readonly queueState: (queueId: number, rx: boolean, enable: boolean) => void;
  /** The device is gone; emits intr_rmv. */
  readonly removed: () => void;
  /** Something went wrong in the background; emits error. */
  readonly error: (error: PollwireError) => void;
}

export interface Driver<S extends ArgsSchema = ArgsSchema> {
  /** 'net_null': device names start with it. */
  readonly name: string;
  readonly aliases: readonly string[];
  /** One line. */
  readonly summary: string;
  readonly args: S;
  readonly limits: Limits;
  readonly capabilities: Capabilities;
  /** Makes the device. A throw refuses the attach; whatever was acquired must be released by then. */
  probe(ctx: ProbeContext<ArgsOf<S>>): Device | Promise<Device>;
}

/** A driver literal; sections in this order: name, aliases, summary, args, limits, capabilities, probe. */
export interface DriverDefinition<S extends ArgsSchema> extends Omit<Driver<S>, 'aliases' | 'capabilities'> {
  readonly aliases?: readonly string[];
  readonly capabilities?: Capabilities;
}

/** Types a driver literal, fills defaults and freezes it. */
export function defineDriver<const S extends ArgsSchema>(definition: DriverDefinition<S>): Driver {
  return Object.freeze({ aliases: [], capabilities: {}, ...definition }) as unknown as Driver;
}
