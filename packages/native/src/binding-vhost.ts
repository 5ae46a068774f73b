/** The vhost part of the addon: devices, their memory and rings, requests, migration, IOMMU. Part of `Addon` in binding.ts. */

/** One region of a front-end's memory. The addon takes ownership of `fd`, also when it throws. */
export interface MemoryRegion {
  guestAddr: bigint;
  size: bigint;
  userAddr: bigint;
  mmapOffset: bigint;
  fd: number;
}

/** Ring set-up as the front-end gave it; addresses are front-end user addresses. */
export interface RingConfig {
  /** Number of descriptors. */
  size: number;
  desc: bigint;
  avail: bigint;
  used: bigint;
  /** Split: next avail index. Packed: avail index | wrap << 15, used half in the upper 16 bits. */
  base: number;
  /** Negotiated virtio feature word. */
  features: bigint;
  /** VHOST_VRING_F_LOG: writes to the used part are logged at `usedLogAddr`. */
  logUsed: boolean;
  /** Guest-physical. */
  usedLogAddr: bigint;
}

export interface VhostBindOptions {
  /** rx: pool that received packets are copied into. tx: ignored. */
  pool: number;
  /** Port id written into received mbufs. */
  port: number;
  /** Never chain mbufs on rx (drop instead). Default false. */
  linear?: boolean;
  /** rx: index of a pool whose larger buffers packets borrow that do not fit into one mbuf of `pool`. Default none. */
  buffers?: number;
  /** rx: offload flags as DPDK's vhost gave them before 21.11 (`TX_*` requests). Default false. */
  legacyFlags?: boolean;
  /** rx: move the outermost 802.1Q tag into vlanTci (OL_RX_VLAN, OL_RX_VLAN_STRIPPED). Default false. */
  stripVlan?: boolean;
}

/** The region of SET_INFLIGHT_FD. */
export interface InflightRegion {
  readonly fd: number;
  readonly size: bigint;
  readonly offset: bigint;
  readonly rings: number;
  readonly ringSize: number;
  readonly packed: boolean;
}

/** A descriptor chain that was taken from a ring. */
export interface TakenChain {
  /** Names it in the other calls. */
  token: number;
  /** Bytes that the driver put there for the device. */
  readable: number;
  /** Bytes of room that the device may fill. */
  writable: number;
}

/** Counters of a ring of requests, from its first use on. */
export interface ChainStats {
  taken: bigint;
  completed: bigint;
  bytesRead: bigint;
  bytesWritten: bigint;
  /** Chains answered empty: wrong order of parts, no end, a table that is none. */
  badChains: bigint;
  /** Chains answered empty, and accesses refused, because a byte lies outside the peer's memory. */
  badAddresses: bigint;
  /** Chains of more than 256 elements, answered empty. */
  tooLong: bigint;
  notifications: bigint;
  notificationsSuppressed: bigint;
  notificationsFailed: bigint;
  /** Requests that are out now. */
  inFlight: bigint;
}

export interface VhostAddon {
  vhostCreate(rings: number): number;
  vhostDestroy(device: number): void;
  /** Replaces the memory table; started rings are paused meanwhile and re-translated, those that no longer translate are returned. */
  vhostSetMemory(device: number, regions: readonly MemoryRegion[]): number[];
  vhostAddRegion(device: number, region: MemoryRegion): number[];
  vhostRemoveRegion(device: number, guestAddr: bigint, userAddr: bigint, size: bigint): number[];
  /** A sealed memory file for the notes of `rings` rings of at most `ringSize` descriptors. The descriptor is the caller's. */
  vhostCreateInflight(rings: number, ringSize: number, packed: boolean): { fd: number; size: bigint };
  /** Rings that start from now on keep their notes there, and go on where its last user ended. Takes ownership of the descriptor. */
  vhostSetInflight(device: number, region: InflightRegion): void;
  vhostDropInflight(device: number): void;
  /** Connects ring `ring` with a slot. `direction` 'rx' = we receive from it (odd rings), 'tx' = we transmit into it (even rings). */
  vhostBind(
    device: number,
    ring: number,
    slot: number,
    direction: 'rx' | 'tx',
    options: VhostBindOptions,
  ): void;
  vhostUnbind(device: number, ring: number): void;
  /** Translates addresses, picks the specialised burst function, opens the slot's RING_STOPPED reason. Throws VHOST_BAD_RING naming the field. */
  vhostRingStart(device: number, ring: number, config: RingConfig): void;
  /** Stops and returns the base to report in GET_VRING_BASE. No access to guest memory after it returns. */
  vhostRingStop(device: number, ring: number): number;
  /** Takes ownership of fd; -1 = none (poll mode / no notification). */
  vhostRingKick(device: number, ring: number, fd: number): void;
  vhostRingCall(device: number, ring: number, fd: number): void;
  vhostRingEnable(device: number, ring: number, enabled: boolean): void;
  /** Asks the driver to kick (true) or not (false, the default while polled). */
  vhostRingNotify(device: number, ring: number, enabled: boolean): void;
  vhostRingState(
    device: number,
    ring: number,
  ): {
    started: boolean;
    enabled: boolean;
    broken: string;
    lastAvail: number;
    lastUsed: number;
    availIdx: number;
    usedIdx: number;
  };
  /**
   * The dirty log of the rings whose features have VHOST_F_LOG_ALL: bytes and offset in the file. Takes ownership of fd, also when it
   * throws: on an area that is empty, wraps, ends behind its file or before the guest's memory.
   */
  vhostSetLog(device: number, size: bigint, offset: bigint, fd: number): void;
  /** Switches VHOST_F_LOG_ALL for every ring, running ones too; packets keep flowing. */
  vhostLogAll(device: number, on: boolean): void;
  /** Where writes to the used part of a ring are logged, or that they are not. */
  vhostRingLog(device: number, ring: number, logUsed: boolean, usedLogAddr: bigint): void;
  /**
   * Postcopy. Opens a userfaultfd and returns a duplicate, owned by the caller. Throws where the kernel forbids it, and in a process that
   * faults its memory in at once (mlockall).
   */
  vhostPostcopyAdvise(device: number): number;
  /** Memory set from now on is watched once the front-end is ready. Throws when there is memory already. */
  vhostPostcopyListen(device: number): void;
  /** Address in this process of the region with this guest address and size. */
  vhostPostcopyAddress(device: number, guestAddr: bigint, size: bigint): bigint;
  /** The front-end serves faults: watches what is mapped. Until the end only bursts touch guest memory. */
  vhostPostcopyReady(device: number): void;
  /** Wakes whoever waits for a page and closes the userfaultfd. */
  vhostPostcopyEnd(device: number): void;
  /** A look for people who ask why nothing moves; changes nothing. `blank`: all descriptors are zero, as we see them. */
  vhostRingInspect(device: number, ring: number): { waiting: number; blank: boolean; kickPending: boolean };
  /** Calls the driver whatever it wants; false when there is nothing to call it by. */
  vhostRingSignal(device: number, ring: number): boolean;
  /** Descriptor of the driver's kicks, -1: none. Stays the addon's, until the next vhostRingKick. */
  vhostRingKickFd(device: number, ring: number): number;
  /**
   * The next request of a ring that no slot serves; undefined: there is none, or the ring does not run. Requests that break the rules
   * of virtqueues are answered empty, counted and skipped.
   */
  vhostChainTake(device: number, ring: number): TakenChain | undefined;
  /** Copies from the readable part of a request; returns bytes copied: fewer at its end, 0 for an unknown token. */
  vhostChainRead(device: number, ring: number, token: number, offset: number, target: Uint8Array): number;
  /** Copies into the room of a request; returns bytes copied: fewer at its end, 0 for an unknown token. */
  vhostChainWrite(device: number, ring: number, token: number, offset: number, source: Uint8Array): number;
  /** Hands a request back, the first `written` bytes of its room filled, and calls the driver. False for an unknown token. */
  vhostChainComplete(device: number, ring: number, token: number, written: number): boolean;
  vhostChainStats(device: number, ring: number): ChainStats;
  /**
   * The memory behind [iova, last] lies at the front-end's user address `user`; permission 1 read, 2 write, 3 both. Throws when it is
   * outside the memory table, or when a ring that waited for it cannot start.
   */
  vhostIotlbUpdate(device: number, iova: bigint, last: bigint, user: bigint, permission: number): void;
  vhostIotlbInvalidate(device: number, iova: bigint, last: bigint): void;
  /** Addresses to ask the front-end for; with `again` also those that it was asked for and has not answered. */
  vhostIotlbMisses(device: number, again: boolean): { iova: bigint; permission: number }[];
  /** What waits for this address has a bad one. */
  vhostIotlbGiveUp(device: number, iova: bigint): void;
  /** A frame (RARP) to be returned at the head of the next rx burst of this ring. */
  vhostInject(device: number, ring: number, frame: Uint8Array): void;
}
