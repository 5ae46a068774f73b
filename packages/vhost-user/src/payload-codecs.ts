/**
 * Wire layout of every payload: size bounds, decoder and encoder side by side. Little-endian, as every machine that
 * Node runs on. Decoders are total: they get a view of exactly the payload and answer a value or what is wrong.
 */
import type {
  ConfigAccess,
  DeviceStateTransfer,
  InflightArea,
  IotlbMessage,
  LogArea,
  MemoryRegion,
  PayloadKind,
  PayloadTypes,
  ShmemConfig,
  ShmemMap,
  VringAddr,
  VringArea,
  VringFd,
  VringState,
} from './payloads.js';
import { IotlbType } from './payloads.js';
import { hex } from './refusal.js';

/** Largest payload on the wire; nothing legal comes near it, and nothing above is ever allocated. */
export const MAX_PAYLOAD = 4096;
/** Regions that one SET_MEM_TABLE can carry. */
export const MAX_TABLE_REGIONS = 8;
/** Regions a virtio device has shared memory ids for. */
const SHMEM_IDS = 256;
const REGION_SIZE = 32;
const CONFIG_HEADER = 12;
const VRING_INDEX_MASK = 0xffn;
const VRING_NO_FD = 0x100n;

/** A field that is not what it may be. */
export interface BadField {
  readonly bad: { readonly field: string; readonly value: string; readonly limit: string };
}

/** One payload layout. */
export interface PayloadCodec<T> {
  /** Smallest and largest payload, bytes. Equal for a fixed layout. */
  readonly min: number;
  readonly max: number;
  /** The view covers the payload, `min` to `max` bytes. */
  decode(view: DataView): T | BadField;
  /** @returns the payload; never longer than `max` */
  encode(value: T): Uint8Array;
}

const bad = (field: string, value: string, limit: string): BadField => ({ bad: { field, value, limit } });

/** Whether a decoder found something wrong. */
export function isBadField(value: unknown): value is BadField {
  return typeof value === 'object' && value !== null && 'bad' in value;
}

function fixed<T>(
  size: number,
  decode: (view: DataView) => T | BadField,
  fill: (view: DataView, value: T) => void,
): PayloadCodec<T> {
  const encode = (value: T): Uint8Array => {
    const bytes = new Uint8Array(size);
    fill(new DataView(bytes.buffer), value);
    return bytes;
  };
  return { min: size, max: size, decode, encode };
}

function bytesOf(view: DataView, start: number, length: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + start, length).slice();
}

const none = fixed<undefined>(
  0,
  () => undefined,
  () => undefined,
);

const u64 = fixed<bigint>(
  8,
  (view) => view.getBigUint64(0, true),
  (view, value) => view.setBigUint64(0, value, true),
);

const vringState = fixed<VringState>(
  8,
  (view) => ({ index: view.getUint32(0, true), num: view.getUint32(4, true) }),
  (view, value) => {
    view.setUint32(0, value.index, true);
    view.setUint32(4, value.num, true);
  },
);

// index u32 | flags u32 | desc u64 | used u64 | avail u64 | log u64
const vringAddr = fixed<VringAddr>(
  40,
  (view) => ({
    index: view.getUint32(0, true),
    flags: view.getUint32(4, true),
    desc: view.getBigUint64(8, true),
    used: view.getBigUint64(16, true),
    avail: view.getBigUint64(24, true),
    log: view.getBigUint64(32, true),
  }),
  (view, value) => {
    view.setUint32(0, value.index, true);
    view.setUint32(4, value.flags, true);
    view.setBigUint64(8, value.desc, true);
    view.setBigUint64(16, value.used, true);
    view.setBigUint64(24, value.avail, true);
    view.setBigUint64(32, value.log, true);
  },
);

function readVringFd(word: bigint): VringFd | BadField {
  if (word > (VRING_INDEX_MASK | VRING_NO_FD)) {
    return bad('vring word', hex(word), 'bits 0-7 the vring index, bit 8 "no descriptor", the rest 0');
  }
  return { index: Number(word & VRING_INDEX_MASK), noFd: (word & VRING_NO_FD) !== 0n };
}

function writeVringFd(value: VringFd): bigint {
  return BigInt(value.index & 0xff) | (value.noFd ? VRING_NO_FD : 0n);
}

const vringFd = fixed<VringFd>(
  8,
  (view) => readVringFd(view.getBigUint64(0, true)),
  (view, value) => view.setBigUint64(0, writeVringFd(value), true),
);

// guest address u64 | size u64 | user address u64 | mmap offset u64
function readRegion(view: DataView, at: number): MemoryRegion {
  return {
    guestAddr: view.getBigUint64(at, true),
    size: view.getBigUint64(at + 8, true),
    userAddr: view.getBigUint64(at + 16, true),
    mmapOffset: view.getBigUint64(at + 24, true),
  };
}

function writeRegion(view: DataView, at: number, region: MemoryRegion): void {
  view.setBigUint64(at, region.guestAddr, true);
  view.setBigUint64(at + 8, region.size, true);
  view.setBigUint64(at + 16, region.userAddr, true);
  view.setBigUint64(at + 24, region.mmapOffset, true);
}

// count u32 | padding u32 | count × region. An empty table is legal here: it is the postcopy confirmation (u64 0).
const memTable: PayloadCodec<readonly MemoryRegion[]> = {
  min: 8,
  max: 8 + MAX_TABLE_REGIONS * REGION_SIZE,
  decode(view) {
    const count = view.getUint32(0, true);
    if (count > MAX_TABLE_REGIONS) {
      return bad('number of regions', String(count), `at most ${MAX_TABLE_REGIONS}`);
    }
    if (view.byteLength !== 8 + count * REGION_SIZE) {
      return bad(
        'payload size',
        `${view.byteLength} bytes`,
        `${8 + count * REGION_SIZE} for ${count} regions`,
      );
    }
    return Array.from({ length: count }, (_, i) => readRegion(view, 8 + i * REGION_SIZE));
  },
  encode(regions) {
    const bytes = new Uint8Array(8 + regions.length * REGION_SIZE);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, regions.length, true);
    regions.forEach((region, i) => {
      writeRegion(view, 8 + i * REGION_SIZE, region);
    });
    return bytes;
  },
};

// padding u64 | region
const memRegion = fixed<MemoryRegion>(
  8 + REGION_SIZE,
  (view) => readRegion(view, 8),
  (view, value) => writeRegion(view, 8, value),
);

const log = fixed<LogArea>(
  16,
  (view) => ({ size: view.getBigUint64(0, true), offset: view.getBigUint64(8, true) }),
  (view, value) => {
    view.setBigUint64(0, value.size, true);
    view.setBigUint64(8, value.offset, true);
  },
);

// offset u32 | size u32 | flags u32 | size bytes. Whether size is sensible is for the session: it has an own reply.
const config: PayloadCodec<ConfigAccess> = {
  min: CONFIG_HEADER,
  max: MAX_PAYLOAD,
  decode(view) {
    const size = view.getUint32(4, true);
    const carried = view.byteLength - CONFIG_HEADER;
    if (size !== carried) {
      return bad('size field', String(size), `the ${carried} bytes that follow`);
    }
    return {
      offset: view.getUint32(0, true),
      size,
      flags: view.getUint32(8, true),
      data: bytesOf(view, CONFIG_HEADER, carried),
    };
  },
  encode(value) {
    const bytes = new Uint8Array(CONFIG_HEADER + value.data.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, value.offset, true);
    view.setUint32(4, value.data.length, true);
    view.setUint32(8, value.flags, true);
    bytes.set(value.data, CONFIG_HEADER);
    return bytes;
  },
};

// iova u64 | size u64 | user address u64 | perm u8 | type u8 | 6 bytes of padding
const iotlb = fixed<IotlbMessage>(
  32,
  (view) => {
    const type = view.getUint8(25);
    if (type < 1 || type > 4) {
      return bad('type', String(type), '1 miss, 2 update, 3 invalidate, 4 access fail');
    }
    // QEMU leaves the byte as it was in an invalidation, which has no permissions.
    const perm = type === IotlbType.INVALIDATE ? 0 : view.getUint8(24);
    if (perm > 3) {
      return bad('permissions', String(perm), '0 none, 1 read, 2 write, 3 both');
    }
    return {
      iova: view.getBigUint64(0, true),
      size: view.getBigUint64(8, true),
      userAddr: view.getBigUint64(16, true),
      perm,
      type: type as IotlbType,
    };
  },
  (view, value) => {
    view.setBigUint64(0, value.iova, true);
    view.setBigUint64(8, value.size, true);
    view.setBigUint64(16, value.userAddr, true);
    view.setUint8(24, value.perm);
    view.setUint8(25, value.type);
  },
);

// mmap size u64 | mmap offset u64 | queues u16 | queue size u16 | 4 bytes of padding
const inflight = fixed<InflightArea>(
  24,
  (view) => ({
    mmapSize: view.getBigUint64(0, true),
    mmapOffset: view.getBigUint64(8, true),
    numQueues: view.getUint16(16, true),
    queueSize: view.getUint16(18, true),
  }),
  (view, value) => {
    view.setBigUint64(0, value.mmapSize, true);
    view.setBigUint64(8, value.mmapOffset, true);
    view.setUint16(16, value.numQueues, true);
    view.setUint16(18, value.queueSize, true);
  },
);

const blob: PayloadCodec<Uint8Array> = {
  min: 1,
  max: MAX_PAYLOAD,
  decode: (view) => bytesOf(view, 0, view.byteLength),
  encode: (value) => value.slice(),
};

const vringArea = fixed<VringArea>(
  24,
  (view) => {
    const word = readVringFd(view.getBigUint64(0, true));
    if ('bad' in word) {
      return word;
    }
    return { ...word, size: view.getBigUint64(8, true), offset: view.getBigUint64(16, true) };
  },
  (view, value) => {
    view.setBigUint64(0, writeVringFd(value), true);
    view.setBigUint64(8, value.size, true);
    view.setBigUint64(16, value.offset, true);
  },
);

const uuid = fixed<Uint8Array>(
  16,
  (view) => bytesOf(view, 0, 16),
  (view, value) => {
    new Uint8Array(view.buffer).set(value.subarray(0, 16));
  },
);

const deviceState = fixed<DeviceStateTransfer>(
  8,
  (view) => ({ direction: view.getUint32(0, true), phase: view.getUint32(4, true) }),
  (view, value) => {
    view.setUint32(0, value.direction, true);
    view.setUint32(4, value.phase, true);
  },
);

// shmid u8 | 7 bytes of padding | fd offset u64 | shm offset u64 | len u64 | flags u64
const shmemMap = fixed<ShmemMap>(
  40,
  (view) => ({
    shmid: view.getUint8(0),
    fdOffset: view.getBigUint64(8, true),
    shmOffset: view.getBigUint64(16, true),
    len: view.getBigUint64(24, true),
    flags: view.getBigUint64(32, true),
  }),
  (view, value) => {
    view.setUint8(0, value.shmid);
    view.setBigUint64(8, value.fdOffset, true);
    view.setBigUint64(16, value.shmOffset, true);
    view.setBigUint64(24, value.len, true);
    view.setBigUint64(32, value.flags, true);
  },
);

// count u32 | padding u32 | 256 × size u64, by shared memory id
const shmemConfig = fixed<ShmemConfig>(
  8 + SHMEM_IDS * 8,
  (view) => ({ sizes: Array.from({ length: SHMEM_IDS }, (_, i) => view.getBigUint64(8 + i * 8, true)) }),
  (view, value) => {
    view.setUint32(0, value.sizes.filter((size) => size !== 0n).length, true);
    value.sizes.slice(0, SHMEM_IDS).forEach((size, i) => {
      view.setBigUint64(8 + i * 8, size, true);
    });
  },
);

/** The codec of every payload kind. */
export const CODECS: { readonly [K in PayloadKind]: PayloadCodec<PayloadTypes[K]> } = {
  none,
  u64,
  vringState,
  vringAddr,
  vringFd,
  memTable,
  memRegion,
  log,
  config,
  iotlb,
  inflight,
  blob,
  vringArea,
  uuid,
  deviceState,
  shmemMap,
  shmemConfig,
};
