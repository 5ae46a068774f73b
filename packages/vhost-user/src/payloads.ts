/**
 * The decoded form of every vhost-user payload, one interface per layout. Wire layouts are in payload-codecs.ts.
 * Addresses, sizes and offsets that are 64-bit on the wire are bigint here, never rounded.
 */

/** A vring and one number: size, base or an on/off flag, by message. */
export interface VringState {
  readonly index: number;
  readonly num: number;
}

/** Where the three areas of a vring are. Addresses are front-end user addresses, or IOVAs with an IOMMU. */
export interface VringAddr {
  readonly index: number;
  /** Bit 0: {@link VRING_F_LOG}. */
  readonly flags: number;
  readonly desc: bigint;
  readonly used: bigint;
  readonly avail: bigint;
  /** Guest-physical address at which used-ring writes are logged. */
  readonly log: bigint;
}

/** `VringAddr.flags`: writes to the used ring are logged. */
export const VRING_F_LOG = 1;

/** The u64 of SET_VRING_KICK, CALL and ERR: bits 0-7 the vring, bit 8 "no descriptor: poll". */
export interface VringFd {
  readonly index: number;
  readonly noFd: boolean;
}

/** One piece of guest memory. */
export interface MemoryRegion {
  /** Guest-physical address of the first byte. */
  readonly guestAddr: bigint;
  /** Bytes. */
  readonly size: bigint;
  /** Address of the first byte in the front-end's own address space. */
  readonly userAddr: bigint;
  /** Offset of the first byte in the file behind the descriptor. */
  readonly mmapOffset: bigint;
}

/** The shared dirty-page log: bytes, and where page 0 is in the file. */
export interface LogArea {
  readonly size: bigint;
  readonly offset: bigint;
}

/** An access to the device's configuration space. */
export interface ConfigAccess {
  readonly offset: number;
  /** Bytes accessed; equals `data.length` whenever data is carried. */
  readonly size: number;
  /** 0: writable fields; 1: live migration. */
  readonly flags: number;
  readonly data: Uint8Array;
}

/** `IotlbMessage.type`. */
export const IotlbType = { MISS: 1, UPDATE: 2, INVALIDATE: 3, ACCESS_FAIL: 4 } as const;
export type IotlbType = (typeof IotlbType)[keyof typeof IotlbType];

/** `IotlbMessage.perm`, a bit field. */
export const IotlbPerm = { NONE: 0, READ: 1, WRITE: 2, READ_WRITE: 3 } as const;

export interface IotlbMessage {
  readonly iova: bigint;
  readonly size: bigint;
  readonly userAddr: bigint;
  /** 0-3, see {@link IotlbPerm}. */
  readonly perm: number;
  readonly type: IotlbType;
}

/** The region that survives a back-end crash and says what was in flight. */
export interface InflightArea {
  readonly mmapSize: bigint;
  readonly mmapOffset: bigint;
  readonly numQueues: number;
  readonly queueSize: number;
}

/** A notify area of one vring; `noFd` de-registers. */
export interface VringArea {
  readonly index: number;
  readonly noFd: boolean;
  readonly size: bigint;
  readonly offset: bigint;
}

/** Parameters of a device-state transfer. */
export interface DeviceStateTransfer {
  /** 0: save (back-end to front-end), 1: load. */
  readonly direction: number;
  /** 0: stopped. */
  readonly phase: number;
}

/** A mapping in a virtio shared memory region. */
export interface ShmemMap {
  readonly shmid: number;
  readonly fdOffset: bigint;
  readonly shmOffset: bigint;
  readonly len: bigint;
  readonly flags: bigint;
}

/** Sizes of the virtio shared memory regions, by shmid; 0 is an unused id. */
export interface ShmemConfig {
  readonly sizes: readonly bigint[];
}

/** From the name of a layout to its decoded type. */
export interface PayloadTypes {
  none: undefined;
  u64: bigint;
  vringState: VringState;
  vringAddr: VringAddr;
  vringFd: VringFd;
  memTable: readonly MemoryRegion[];
  memRegion: MemoryRegion;
  log: LogArea;
  config: ConfigAccess;
  iotlb: IotlbMessage;
  inflight: InflightArea;
  /** Device-specific bytes, passed on as they are (1 to 4096). */
  blob: Uint8Array;
  vringArea: VringArea;
  /** 16 bytes. */
  uuid: Uint8Array;
  deviceState: DeviceStateTransfer;
  shmemMap: ShmemMap;
  shmemConfig: ShmemConfig;
}

export type PayloadKind = keyof PayloadTypes;
