/**
 * The device behind a net_af_packet port: one packet socket per queue pair, bound to an interface that the kernel keeps using. Several
 * sockets share what arrives (fanout). Made by af-packet.ts for every attach.
 */
import type { Device, Limits, LinkStatus, ProbeContext, QueueEnd, RxQueueSetup } from '@pollwire/ethdev';
import { RX_OFFLOADS } from '@pollwire/ethdev';
import type { LinkFacts, PacketOptions } from '@pollwire/native';
import { native, PollwireError, SlotClosed, toPollwireError } from '@pollwire/native';
import { checkInterfaceName, NetInterface } from './net-interface.js';
import type { StatQueue } from './queue-stats.js';
import { queueStats } from './queue-stats.js';

/** PACKET_FANOUT_* and its flags (packet(7)). */
const FANOUT = { hash: 0, lb: 1, cpu: 2, rollover: 3, rnd: 4, qm: 5, defrag: 0x8000 } as const;
export type FanoutMode = keyof typeof FANOUT;
export const FANOUT_MODES = Object.keys(FANOUT) as FanoutMode[];

export interface AfPacketArgs {
  readonly iface: string;
  readonly qpairs: number;
  readonly blocksz: number;
  readonly framesz: number;
  readonly framecnt: number;
  readonly qdisc_bypass: boolean;
  readonly fanout_mode: FanoutMode | undefined;
}

/** Bytes of a ring's frame that are not the packet: the kernel's header, address and alignment, and the virtio-net header. */
const FRAME_OVERHEAD = 76;

export class AfPacketPort implements Device {
  readonly mac: Uint8Array;
  readonly link: Partial<LinkStatus>;
  readonly limits: Partial<Limits>;
  readonly #ctx: ProbeContext<AfPacketArgs>;
  readonly #iface: NetInterface;
  readonly #fds: number[] = [];
  readonly #slots = new Map<number, StatQueue>();
  #gone = false;

  constructor(ctx: ProbeContext<AfPacketArgs>) {
    const { args } = ctx;
    this.#ctx = ctx;
    checkInterfaceName(ctx.name, args.iface);
    const facts = native.linkFacts(args.iface);
    if (facts === undefined) {
      const why = 'there is no such interface; `ip link` lists them';
      throw new PollwireError('NOT_FOUND', `${ctx.name}: iface=${args.iface}: ${why}.`);
    }
    this.mac = Uint8Array.from(facts.mac);
    this.link = { up: facts.adminUp && facts.carrier, speed: 10_000, duplex: 'full', autoneg: false };
    this.limits = {
      rxQueues: args.qpairs,
      txQueues: args.qpairs,
      maxRxPktLen: Math.max(0, args.framesz - FRAME_OVERHEAD),
    };
    this.#iface = new NetInterface(facts, {
      changed: (now) => this.#changed(now),
      gone: () => this.#lost(),
    });
    try {
      this.#open(facts.index);
    } catch (error) {
      this.close();
      throw inWords(ctx.name, args.iface, error);
    }
  }

  rxQueue(queue: number, setup: RxQueueSetup): QueueEnd {
    const strip = (setup.offloads & (1 << RX_OFFLOADS.VLAN_STRIP)) !== 0;
    return this.#queue({ direction: 'rx', queue }, (slot) =>
      native.bindPacketRx(slot, this.#fds[queue] as number, setup.pool.index, this.#ctx.portId, strip),
    );
  }

  txQueue(queue: number): QueueEnd {
    return this.#queue({ direction: 'tx', queue }, (slot) =>
      native.bindPacketTx(slot, this.#fds[queue] as number),
    );
  }

  start(): void {
    const { name, adminUp } = this.#iface.facts;
    if (!adminUp && !this.#gone) this.#ctx.log.warn(`${name} is down; type: ip link set dev ${name} up`);
    this.#iface.refresh();
  }

  // The sockets go on collecting; the core closes the queues.
  stop(): void {}

  setLink(up: boolean): void {
    this.#iface.setUp(up);
  }

  setMtu(mtu: number): void {
    this.#iface.setMtu(mtu);
  }

  setMac(mac: Uint8Array): void {
    if (this.#gone || Buffer.compare(this.#iface.facts.mac, mac) === 0) return;
    this.#iface.setMac(mac);
  }

  setPromiscuous(on: boolean): void {
    this.#listen(false, on);
  }

  setAllMulticast(on: boolean): void {
    this.#listen(true, on);
  }

  close(): void {
    this.#iface.close();
    for (const fd of this.#fds.splice(0)) native.packetClose(fd);
  }

  xstats(): Iterable<readonly [string, bigint]> {
    return queueStats(this.#slots);
  }

  info(): Record<string, string> {
    const { args } = this.#ctx;
    const { facts } = this.#iface;
    return {
      iface_name: facts.name,
      iface_index: String(facts.index),
      iface_mtu: String(facts.mtu),
      iface_up: facts.adminUp ? '1' : '0',
      carrier: facts.carrier ? '1' : '0',
      ring: `TPACKET_V2, ${args.framecnt} frames of ${args.framesz} bytes in blocks of ${args.blocksz}`,
      qpairs: String(args.qpairs),
      fanout: args.qpairs > 1 ? (args.fanout_mode ?? 'hash') : '',
      qdisc_bypass: args.qdisc_bypass ? '1' : '0',
      present: this.#gone ? '0' : '1',
    };
  }

  #open(index: number): void {
    const { args } = this.#ctx;
    const options: PacketOptions = {
      index,
      blockSize: args.blocksz,
      frameSize: args.framesz,
      frameCount: args.framecnt,
      bypassQdisc: args.qdisc_bypass,
    };
    for (let pair = 0; pair < args.qpairs; pair++) this.#fds.push(native.packetOpen(options));
    this.#accept();
    if (args.qpairs === 1) return;
    // As in DPDK, fragments are put together before they are hashed.
    const mode = args.fanout_mode === undefined ? FANOUT.hash | FANOUT.defrag : FANOUT[args.fanout_mode];
    let group: number | undefined;
    for (const fd of this.#fds) group = native.packetFanout(fd, group, mode);
  }

  #queue(which: StatQueue, bind: (slot: number) => void): QueueEnd {
    const slot = this.#ctx.slot();
    bind(slot);
    this.#slots.set(slot, which);
    return { kind: 'native', slot, release: () => this.#slots.delete(slot) };
  }

  /** What the interface takes beyond that stays out of the rings. */
  #accept(): void {
    const [everything, groups] = [this.#heard.has('everything'), this.#heard.has('multicast')];
    for (const fd of this.#fds) native.packetAccept(fd, everything, groups);
  }

  #listen(multicastOnly: boolean, on: boolean): void {
    const key = multicastOnly ? 'multicast' : 'everything';
    if (this.#gone || this.#heard.has(key) === on) return;
    native.packetPromiscuous(this.#fds[0] as number, multicastOnly, on);
    if (on) this.#heard.add(key);
    else this.#heard.delete(key);
    this.#accept();
  }

  /** The kernel counts memberships; one each is enough. */
  readonly #heard = new Set<'multicast' | 'everything'>();

  #changed({ adminUp, carrier }: LinkFacts): void {
    this.#ctx.link({ up: adminUp && carrier });
  }

  #lost(): void {
    this.#gone = true;
    for (const slot of this.#slots.keys()) native.slotClose(slot, SlotClosed.BROKEN);
    this.#ctx.log.warn(`${this.#iface.facts.name} is gone: the port is broken, detach it`);
    this.#ctx.link({ up: false });
    this.#ctx.removed();
  }
}

function inWords(device: string, iface: string, thrown: unknown): PollwireError {
  const error = toPollwireError(thrown);
  const where = `${device}: iface=${iface}`;
  if (error.code === 'PERMISSION_DENIED') {
    const text = `${where}: a packet socket needs CAP_NET_RAW; run as root, or: setcap cap_net_raw+ep on the node program.`;
    return new PollwireError(error.code, text, { cause: thrown, errno: error.errno });
  }
  if (error.code === 'INVALID_ARGUMENT') {
    return new PollwireError('DEVARG_VALUE', `${device}: ${error.message}.`, { cause: thrown });
  }
  if (error.code === 'NO_MEMORY') {
    const text = `${where}: the kernel has no memory for the rings; lower framecnt or blocksz.`;
    return new PollwireError(error.code, text, { cause: thrown, errno: error.errno });
  }
  return error;
}
