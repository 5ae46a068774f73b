/**
 * Every function of the native addon, typed and documented: the only description of the edge between TypeScript and C++.
 * `load.ts` returns an object of this shape; everything above this package calls through the wrappers exported from index.ts.
 *
 * Units used throughout: a *handle* is an mbuf's byte offset in the arena ÷ 64 (0 = none); a *word* is a byte offset ÷ 4, an index
 * into a Uint32Array over the arena; a *slot* is a burst queue (one direction of one queue), valid in every isolate.
 */
import type { VhostAddon } from './binding-vhost.js';

/** How the arena was made. */
export interface ArenaInfo {
  /** Total size in bytes. */
  bytes: number;
  /** Page size that backs it, bytes: 4096, 2097152 or 1073741824. */
  pageSize: number;
  /** The memfd (owned by the process; give duplicates away, never close it). */
  fd: number;
  /** First virtual address in this process. */
  base: bigint;
  /** A sentence about a fallback that was taken (no hugepages, …), or '' when none. */
  note: string;
}

export interface ArenaOptions {
  bytes: number;
  /** 'auto' uses hugepages when free ones exist, 'never' does not ask, 'require' throws without them. Default 'auto'. */
  huge?: 'auto' | 'never' | 'require';
}

export interface PoolInfo {
  name: string;
  /** Number of mbufs. */
  size: number;
  /** Free mbufs: shared ring plus every lcore's cache. Exact when no lcore is allocating. */
  free: number;
  /** Of those, how many sit in caches. */
  cached: number;
  /** Bytes of buffer behind each header: headroom + data. */
  dataRoom: number;
  /** Per-lcore cache size. */
  cacheSize: number;
  /** Distance between two mbufs, bytes. */
  elementSize: number;
}

export interface SocketReceive {
  /** Bytes read; 0 = end of stream; -1 = nothing now. */
  bytes: number;
  /** Received descriptors, close-on-exec, owned by the caller. */
  fds: number[];
}

/** What a watched descriptor reports: a mask of 1 readable, 2 writable, 4 hang-up or error. */
export type WatchCallback = (events: number) => void;

/** Something native that the control plane must hear of. */
export interface NativeEvent {
  /**
   * 'ring_broken': the data path refuses to go on with this ring until it is set up anew. 'iotlb_miss': it waits for translations, see
   * vhostIotlbMisses.
   */
  type: 'ring_broken' | 'iotlb_miss';
  /** Which side of a ring: numbers of vhost and virtio devices are counted apart. */
  side: 'vhost' | 'virtio';
  device: number;
  ring: number;
  /** Named cause, e.g. 'AVAIL_JUMP'. */
  reason: string;
}

/** An interface of the kernel. */
export interface LinkFacts {
  index: number;
  name: string;
  mtu: number;
  /** Zero where the interface has none. */
  mac: Uint8Array;
  /** IFF_UP. */
  adminUp: boolean;
  carrier: boolean;
}

export interface PacketOptions {
  /** Number of the interface. */
  index: number;
  /** Bytes of a block, a multiple of the page size. */
  blockSize: number;
  /** Bytes of a frame, a multiple of 16; headers take some of them. */
  frameSize: number;
  /** Frames of each ring, rounded down to whole blocks. */
  frameCount: number;
  bypassQdisc: boolean;
}

/** A burst function's place: which stop reasons keep it closed. A slot runs only when the mask is 0. */
export const SlotClosed = {
  UNBOUND: 1,
  PORT_STOPPED: 2,
  RING_STOPPED: 4,
  RING_DISABLED: 8,
  PAUSED: 16,
  BROKEN: 32,
} as const;

export interface Addon extends VhostAddon {
  // Identity (checked by load.ts before anything else).
  readonly layoutHash: string;
  readonly flavour: 'release' | 'checked' | 'asan';
  /** Layout constants as the C++ code has them; source of layout.gen.ts. */
  layout(): Record<string, number>;

  // Process and arena. One arena per process, created once, seen by every isolate.
  arenaCreate(options: ArenaOptions): ArenaInfo;
  arenaInfo(): ArenaInfo | undefined;
  /** This isolate's own view of the arena. Never post it to another thread. */
  arenaBuffer(): ArrayBuffer;
  /** Zeroed block; returns its byte offset. `align` is a power of two ≥ 64. Throws ARENA_FULL. */
  arenaAlloc(bytes: number, align: number, label: string): number;
  arenaFree(offset: number): void;
  arenaUsage(): { bytes: number; used: number; blocks: { label: string; bytes: number }[] };

  // Threads.
  /** Registers the calling thread as lcore `id` (gives it pool caches), pins it to `cpu` (-1: not), names it. */
  lcoreEnter(id: number, cpu: number, name: string): void;
  /** Flushes pool caches and unregisters. */
  lcoreLeave(): void;
  usableCpus(): number[];
  tscHz(): number;
  /** Time stamp counter as a double (exact below 2^53). */
  tsc(): number;
  /** Sleeps the calling lcore until a kick of one of `slots`, a wake-up (lcoreWake), or the deadline. Returns 1 when woken by a kick. Bounded by `microseconds`. */
  lcoreWait(slots: readonly number[], microseconds: number): number;
  /** Wakes lcore `id` out of lcoreWait. Any thread. */
  lcoreWake(id: number): void;

  // Pools and mbufs.
  poolCreate(name: string, count: number, dataRoom: number, cacheSize: number): number;
  /** Throws BUSY while mbufs are out (with their number) or rx queues take from it. */
  poolDestroy(pool: number): void;
  poolInfo(pool: number): PoolInfo;
  /** Checked flavours: one line per mbuf that is out, with its allocation site and owner; others: []. */
  poolLeaks(pool: number): string[];
  /** 0 when the pool is empty. */
  mbufAlloc(pool: number): number;
  /** All or nothing: writes `count` handles at arena word `word`, returns count or 0. */
  mbufAllocBulk(pool: number, word: number, count: number): number;
  /** Frees the whole chain (refcount aware). */
  mbufFree(handle: number): void;
  mbufFreeBulk(word: number, count: number): void;
  /** Copies from the packet (across segments) into `target`; returns bytes copied. */
  mbufRead(handle: number, offset: number, target: Uint8Array): number;
  /** Overwrites packet bytes (across segments); returns bytes written. */
  mbufWrite(handle: number, offset: number, source: Uint8Array): number;
  /** Appends, taking further segments from the head's pool when needed; returns bytes appended (all or 0). */
  mbufAppend(handle: number, source: Uint8Array): number;
  /** Deep copy into mbufs of `pool`; 0 when empty. */
  mbufCopy(handle: number, pool: number): number;
  /** Shares the payload (refcount of the original goes up); 0 when the pool is empty. */
  mbufClone(handle: number, pool: number): number;
  /** Makes the data contiguous in the first segment; false when it does not fit. */
  mbufLinearize(handle: number): boolean;
  /** Chains `tail` behind `head`; false when there would be too many segments (> 65535). */
  mbufChain(head: number, tail: number): boolean;

  /** Checked flavours: double frees, foreign handles and writes after free seen so far in this process; others: 0. */
  mbufViolations(): number;

  // Rings of handles.
  /** `flags`: 1 single producer, 2 single consumer. `count` any ≥ 1. */
  ringCreate(name: string, count: number, flags: number): number;
  ringDestroy(ring: number): void;
  ringEnqueueBurst(ring: number, word: number, count: number): number;
  ringEnqueueBulk(ring: number, word: number, count: number): number;
  ringDequeueBurst(ring: number, word: number, count: number): number;
  ringDequeueBulk(ring: number, word: number, count: number): number;
  ringCount(ring: number): number;

  // Burst slots: the data path. Each call moves at most `count` handles at arena word `word`.
  rxBurst(slot: number, word: number, count: number): number;
  /** The driver owns the first n returned; the caller still owns the rest. */
  txBurst(slot: number, word: number, count: number): number;
  /** rx from one slot, tx to another, frees what tx refused. Returns received | (sent << 16). */
  forwardBurst(rxSlot: number, txSlot: number, word: number, count: number): number;
  /**
   * The same with an edit of each packet in between. `edit` 0: Ethernet addresses change places; else the arena word of the twelve bytes
   * that become destination and source.
   */
  forwardEdited(rxSlot: number, txSlot: number, word: number, count: number, edit: number): number;
  /** Only the edit, of packets that stay with the caller. */
  editBurst(word: number, count: number, edit: number): void;
  slotAlloc(): number;
  /** Closes, unbinds and returns the slot. No burst is inside when it returns. */
  slotFree(slot: number): void;
  /** Adds reasons; returns when no lcore is inside (at most one burst later). */
  slotClose(slot: number, reasons: number): void;
  /** Removes reasons. */
  slotOpen(slot: number, reasons: number): void;
  /** Present reasons, a mask of SlotClosed. */
  slotClosed(slot: number): number;
  /** Byte offset of the slot's counters in the arena (u64 each, order of COUNTER_* in layout.gen.ts). */
  slotCounters(slot: number): number;
  slotResetCounters(slot: number): void;
  /** Descriptors in use (rx: filled and not yet received; tx: waiting for the other side); -1 when unknown. */
  slotUsed(slot: number): number;

  // Simple ports.
  /** rx yields blank packets of `size` bytes from `pool`; with `copy` a template is copied into each. */
  bindNullRx(slot: number, pool: number, size: number, copy: boolean, port: number): void;
  /** tx frees; with `copy` the payload is read first. */
  bindNullTx(slot: number, copy: boolean): void;
  bindRingRx(slot: number, ring: number, port: number): void;
  bindRingTx(slot: number, ring: number): void;
  /** `fd` is a queue from tapOpen; it must stay open until the slot was closed for good. */
  bindTapRx(slot: number, fd: number, pool: number, port: number, tun: boolean, stripVlan: boolean): void;
  bindTapTx(slot: number, fd: number, tun: boolean): void;
  /** `fd` is a socket from packetOpen. */
  bindPacketRx(slot: number, fd: number, pool: number, port: number, stripVlan: boolean): void;
  bindPacketTx(slot: number, fd: number): void;
  /** Replays a capture file; with `infinite` again and again. Throws BAD_FILE with the reason. */
  bindPcapRx(slot: number, path: string, pool: number, port: number, infinite: boolean): void;
  /** Appends to `fd`, which came from pcapCreate. */
  bindPcapTx(slot: number, fd: number, snapLength: number): void;

  // Capture files.
  /** Packets of a capture file; throws BAD_FILE with the reason. */
  pcapPackets(path: string): number;
  /** Replaces the file by an empty capture and returns its descriptor. */
  pcapCreate(path: string, snapLength: number): number;

  // The kernel's network devices.
  /** Opens a queue of a TUN/TAP interface, making the interface when there is none. `%d` in the name is the first free number. */
  tapOpen(
    name: string,
    options: { tun: boolean; multiQueue: boolean; mustBeNew: boolean },
  ): { fd: number; name: string };
  /** What the kernel may leave to the port: checksums, and segmentation of TCP. */
  tapOffload(fd: number, checksum: boolean, segmentation: boolean): void;
  tapPersist(fd: number, persist: boolean): void;
  tapCarrier(fd: number, up: boolean): void;
  /** False when the interface was deleted under the descriptor. */
  tapIsAttached(fd: number): boolean;
  /** A packet socket with its rings; returns its descriptor, which packetClose closes. Throws INVALID_ARGUMENT naming the devarg. */
  packetOpen(options: PacketOptions): number;
  /** Without `group` (they count from 0) makes a fanout group; returns its number. `mode` is a PACKET_FANOUT_ number with its flags. */
  packetFanout(fd: number, group: number | undefined, mode: number): number;
  /** Which frames come into the ring besides those to the interface's own address and to everybody. */
  packetAccept(fd: number, otherStations: boolean, groups: boolean): void;
  packetPromiscuous(fd: number, multicastOnly: boolean, on: boolean): void;
  packetClose(fd: number): void;
  /** An interface by name or number; undefined when there is none. */
  linkFacts(link: string | number): LinkFacts | undefined;
  linkSetUp(index: number, up: boolean): void;
  linkSetMtu(index: number, mtu: number): void;
  linkSetMac(index: number, mac: Uint8Array): void;
  /** A descriptor that becomes readable when any interface changes or goes; linkWatchDrain empties it. */
  linkWatchOpen(): number;
  linkWatchDrain(fd: number): void;

  // virtio driver side: rings that we own. Their memory and the mbufs lie in the arena, which is what the device gets to see.
  /** `queues` virtqueues: for a network device two for each queue pair. */
  virtioCreate(queues: number): number;
  /** Stops every ring, takes posted mbufs back, frees ring memory. */
  virtioDestroy(device: number): void;
  /** Memory for virtqueue `queue`; replaces what was there. Even ones receive, odd ones transmit. Throws while it runs. */
  virtioQueueSetup(device: number, queue: number, setup: VirtioQueueSetup): VirtioQueueAreas;
  /** Connects a virtqueue with a slot; `pool` feeds receive buffers. */
  virtioBind(device: number, queue: number, slot: number, options: { pool: number; port: number }): void;
  virtioUnbind(device: number, queue: number): void;
  /** rx: whether the outermost 802.1Q tag is moved into vlanTci; also while the queue runs. */
  virtioStripVlan(device: number, queue: number, wanted: boolean): void;
  /**
   * Which frames the rx queues of a device let through, at once.
   * @param addresses 6 bytes each, the port's own first, then further ones and groups in any order; at most 128
   * @param vlans 512 bytes: bit `id % 8` of byte `id / 8` for each VLAN let through
   */
  virtioRxFilter(device: number, modes: VirtioRxModes, addresses: Uint8Array, vlans: Uint8Array): void;
  /** Fresh indices, receive buffers posted, slot opened. Throws VIRTIO_HEADROOM when a mbuf has no room for the header. */
  virtioQueueStart(device: number, queue: number): void;
  /**
   * Closes the slot and takes every posted mbuf back; returns how many. With `quarantine` they stay out of use, because a device that
   * went away without letting go may still be writing into them, until virtioReleaseQuarantine or virtioDestroy.
   */
  virtioQueueStop(device: number, queue: number, quarantine: boolean): number;
  virtioReleaseQuarantine(device: number): void;
  /** Eventfd by which we notify the device, -1: none. Taken over. */
  virtioQueueKick(device: number, queue: number, fd: number): void;
  /** Eventfd by which the device notifies us (an idle lcore sleeps on it), -1: none. Taken over. */
  virtioQueueCall(device: number, queue: number, fd: number): void;
  virtioQueueState(
    device: number,
    queue: number,
  ): { started: boolean; broken: string; inFlight: number; size: number };

  // Sockets, descriptors, events.
  listenUnix(path: string, backlog: number): number;
  connectUnix(path: string): number;
  acceptUnix(fd: number): number;
  socketPair(): [number, number];
  socketReceive(fd: number, buffer: Uint8Array, offset: number, length: number, fds: number[]): number;
  socketSend(fd: number, buffer: Uint8Array, offset: number, length: number, fds: readonly number[]): number;
  socketShutdown(fd: number): void;
  closeFd(fd: number): void;
  /** 'socket' | 'eventfd' | 'memfd' | 'file' | 'directory' | 'pipe' | 'device' | 'other', with size in bytes for files. */
  describeFd(fd: number): { kind: string; size: number; writable: boolean };
  memfdCreate(name: string, bytes: number): number;
  /** Maps `bytes` of a file into this isolate, shared; unmapped when the buffer is collected. For test kits and tools, not for the data path. */
  mapFile(fd: number, bytes: number): ArrayBuffer;
  eventfdCreate(): number;
  eventfdSignal(fd: number): void;
  eventfdRead(fd: number): number;
  /** Level-triggered readiness, coalesced per isolate. interest: 1 readable, 2 writable. Returns an id. Keeps the event loop alive while registered unless unref'd by watchRef(id, false). */
  watchAdd(fd: number, interest: number, callback: WatchCallback): number;
  watchModify(id: number, interest: number): void;
  watchRemove(id: number): void;
  watchRef(id: number, ref: boolean): void;
  /** One listener per isolate for native events; undefined removes it. */
  onNativeEvent(listener: ((event: NativeEvent) => void) | undefined): void;
}

export interface VirtioQueueSetup {
  /** Descriptors: a power of two for a split ring, any number for a packed one; 1 to 32768. */
  size: number;
  /** Negotiated virtio feature word; decides layout, header length, mergeable and in-order. */
  features: bigint;
}

/** Modes of a receive filter. */
export interface VirtioRxModes {
  /** Frames to any address. The VLAN table holds all the same. */
  promiscuous: boolean;
  /** Frames to any group address. */
  allMulticast: boolean;
  /** Tagged frames only if their VLAN is in the table. */
  filterVlans: boolean;
}

/** Addresses of a virtqueue's three areas, in this process. */
export interface VirtioQueueAreas {
  desc: bigint;
  /** Available ring, or the driver's event structure of a packed ring. */
  avail: bigint;
  /** Used ring, or the device's event structure of a packed ring. */
  used: bigint;
  /** What SET_VRING_BASE has to say. */
  base: number;
}
