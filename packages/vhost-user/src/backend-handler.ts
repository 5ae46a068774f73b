/**
 * What a device puts behind a vhost-user connection. The session (backend.ts) has checked the bytes, the sizes, the
 * descriptors, the negotiation, the vring index and the state before it calls; the handler only acts.
 *
 * A method that is absent is a feature that is absent: its protocol feature bit is not offered and its messages are
 * refused. A method says no by returning {@link refuse}(reason): the peer gets a NACK if it asked for an answer, and
 * loses the connection otherwise. A method that throws ends the connection (`VHOST_HANDLER_FAILED`).
 *
 * Methods are called one message at a time and in order. A method may return a promise; the next message is then
 * read after it settles. Descriptors that a method does not `take()` are closed when it is done.
 */
import type { BackendChannel } from './backend-channel.js';
import type { CloseReason } from './close-reason.js';
import type { MaybePromise } from './maybe-promise.js';
import type { FrontendMessage } from './messages.js';
import type { OutgoingFd } from './output-queue.js';
import type {
  ConfigAccess,
  InflightArea,
  IotlbMessage,
  LogArea,
  MemoryRegion,
  VringAddr,
} from './payloads.js';
import type { RawRequest } from './raw-request.js';
import type { ReceivedFd } from './received-fd.js';
import type { Refusal } from './refusal.js';

/** Done, or refused. */
export type Outcome = MaybePromise<void | Refusal>;

/** A value for the reply, or refused. */
export type Answer<T> = MaybePromise<T | Refusal>;

/** A memory region and the file behind it. */
export interface ReceivedRegion extends MemoryRegion {
  readonly fd: ReceivedFd;
}

/** What changes with SET_FEATURES. All words are already checked against the offer. */
export interface FeatureChange {
  /** The word in force from now on: what the driver acked, without offload bits whose base it left out. */
  readonly features: bigint;
  /** The word as the driver sent it. */
  readonly acked: bigint;
  readonly previous: bigint;
  /** Every ring's size and addresses are forgotten: the layout (split or packed) changed. */
  readonly layoutChanged: boolean;
}

/** What stands still while a message is applied: one vring, or all of them. */
export interface QuiesceScope {
  readonly message: FrontendMessage['name'];
  /** A vring index; undefined: the whole device. */
  readonly ring: number | undefined;
}

/** What an extern handler did with a message. */
export type ExternOutcome =
  | 'not-handled'
  | 'handled'
  | { readonly reply: Uint8Array; readonly fds?: readonly OutgoingFd[] }
  | Refusal;

/**
 * Handlers for messages of other device types, or to look at or replace the built-in ones
 * (what DPDK calls extern ops). Declare protocol features they serve in `BackendOptions.extraProtocolFeatures`.
 */
export interface ExternHandlers {
  /** Before the built-in handling, with the raw message, also for unknown numbers. Anything but `not-handled` skips it. */
  before?(message: RawRequest): MaybePromise<ExternOutcome>;
  /** After the built-in handling, unless that refused. `handled`: whether somebody has handled it so far. */
  after?(message: RawRequest, handled: boolean): MaybePromise<ExternOutcome>;
}

export interface BackendHandler {
  // Negotiation.

  /** The driver's features are known, or changed. While a ring runs only VHOST_F_LOG_ALL can differ. */
  setFeatures(change: FeatureChange): Outcome;
  /** The front-end's protocol features are known. */
  setProtocolFeatures?(features: bigint): Outcome;
  /**
   * The device status byte changed (STATUS). DRIVER_OK set: the device may run. 0: the driver reset the device; stop
   * using the rings but keep their indices, QEMU reads them with GET_VRING_BASE afterwards.
   */
  setStatus?(status: number, previous: number): Outcome;
  /** SET_OWNER: the front-end takes the session. Repeats are not passed on. */
  setOwner?(): Outcome;
  /** RESET_OWNER: every ring has been disabled by `setVringEnable` before this call. */
  resetOwner?(): Outcome;
  /** RESET_DEVICE: rings and features as at the beginning; the connection, owner, memory and protocol features stay. */
  resetDevice?(): Outcome;

  // Memory.

  /** The whole table is replaced. 1 to 8 regions without overlap or wrap. Map new, swap, unmap old; or refuse. */
  setMemoryTable(regions: readonly ReceivedRegion[]): Outcome;
  /** One region more (CONFIGURE_MEM_SLOTS). */
  addMemoryRegion?(region: ReceivedRegion): Outcome;
  /** One region less; it is in the table (matched by guest address, user address and size). */
  removeMemoryRegion?(region: MemoryRegion): Outcome;

  // Rings. `index` is below `BackendOptions.vringCount`.

  /** Entries: 1 to 32768, a power of two unless packed. */
  setVringNum(index: number, size: number): Outcome;
  /** Addresses, not yet translated. On a running ring only `flags` and `log` differ from before. */
  setVringAddr(index: number, addr: VringAddr): Outcome;
  /** Where to go on. Split: 0-65535. Packed: see {@link unpackVringBase}. */
  setVringBase(index: number, base: number): Outcome;
  /**
   * Stop the ring and answer where it stands. Nothing of it is touched after the answer, and its descriptors are done
   * with: the front-end sends new ones. Any ring may be asked, started or not.
   */
  getVringBase(index: number): Answer<number>;
  /** The ring starts. `fd` undefined: no eventfd, the device polls. */
  setVringKick(index: number, fd: ReceivedFd | undefined): Outcome;
  /** How to notify the driver. `fd` undefined: the driver polls. May come before everything else. */
  setVringCall(index: number, fd: ReceivedFd | undefined): Outcome;
  /** How to signal a broken ring. Absent: accepted, the descriptor is closed. */
  setVringErr?(index: number, fd: ReceivedFd | undefined): Outcome;
  /** The ring is switched on or off. Called for changes only; also when a ring without protocol features starts. */
  setVringEnable(index: number, enabled: boolean): Outcome;
  /** In-band kick (INBAND_NOTIFICATIONS). The ring is started by it if it was not. */
  kickVring?(index: number): Outcome;

  // Migration and recovery.

  /** The dirty log (LOG_SHMFD). */
  setLogBase?(log: LogArea, fd: ReceivedFd): Outcome;
  /** An eventfd to signal after logging. Absent: accepted, the descriptor is closed. */
  setLogFd?(fd: ReceivedFd): Outcome;
  /** Broadcast a RARP for this MAC address, 6 bytes (RARP). */
  sendRarp?(mac: Uint8Array): Outcome;
  /** A region for what is in flight, to be kept by the front-end (INFLIGHT_SHMFD, with `setInflightFd`). */
  getInflightFd?(wish: InflightArea): Answer<{ readonly area: InflightArea; readonly fd: OutgoingFd }>;
  setInflightFd?(area: InflightArea, fd: ReceivedFd): Outcome;
  /** Postcopy (PAGEFAULT, all three): open a userfaultfd … */
  postcopyAdvise?(): Answer<OutgoingFd>;
  /** … register memory from now on: the table and region handlers answer through {@link postcopyAddress} … */
  postcopyListen?(): Outcome;
  /** … and close it. */
  postcopyEnd?(): Outcome;
  /** Address at which a region of the table is mapped here; asked after a table or region came in while listening. */
  postcopyAddress?(region: MemoryRegion): Answer<bigint>;
  /** The front-end is ready to serve faults of what was mapped last. */
  postcopyReady?(): Outcome;

  // Device.

  /** Host MTU, 68 to 65535 (NET_MTU). */
  setMtu?(mtu: number): Outcome;
  /**
   * IOTLB update or invalidation; only with VIRTIO_F_ACCESS_PLATFORM. The end is at most 2^64 and may be exactly that;
   * an invalidation of size 0 means up to there (QEMU adds 1 to a full mask).
   */
  iotlb?(message: IotlbMessage): Outcome;
  /** Bytes of the configuration space, exactly `size` of them (CONFIG). A refusal becomes the empty error reply. */
  getConfig?(offset: number, size: number): Answer<Uint8Array>;
  /** Absent: every write is refused. */
  setConfig?(access: ConfigAccess): Outcome;
  /** The channel for requests to the front-end opened, or was lost (undefined) (BACKEND_REQ). */
  setBackendChannel?(channel: BackendChannel | undefined): Outcome;

  // Around every message.

  /** Bring ring or device to a standstill; called before messages whose row says so, `resume` always after them. */
  quiesce?(scope: QuiesceScope): MaybePromise<void>;
  resume?(scope: QuiesceScope): MaybePromise<void>;
  readonly extern?: ExternHandlers;
  /** A message was refused and the connection goes on; an operator wants to read why. `text` names message and value. */
  messageRefused?(text: string): void;
  /** A message was handled (not: refused). The place to recompute what is ready. */
  messageHandled?(name: FrontendMessage['name']): MaybePromise<void>;
  /** The connection is gone, all its descriptors are closed, no handler method is running. Called once, last. */
  connectionClosed?(reason: CloseReason): void;
}
