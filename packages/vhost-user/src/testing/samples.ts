/** One legal payload of every kind, so that tests can walk the message table row by row. */
import type { MessageRow } from '../messages.js';
import type { MemoryRegion, PayloadKind, PayloadTypes } from '../payloads.js';

export const REGION: MemoryRegion = {
  guestAddr: 0x1000n,
  size: 0x10_0000n,
  userAddr: 0x7f00_0000_0000n,
  mmapOffset: 0n,
};

export const SAMPLES: { readonly [K in PayloadKind]: PayloadTypes[K] } = {
  none: undefined,
  u64: 0x1122_3344_5566_7788n,
  vringState: { index: 1, num: 256 },
  vringAddr: {
    index: 1,
    flags: 1,
    desc: 0x1000n,
    used: 0x2000n,
    avail: 0x3000n,
    log: 0xffff_ffff_ffff_f000n,
  },
  vringFd: { index: 1, noFd: false },
  memTable: [REGION, { guestAddr: 0x1_0000_0000n, size: 1n, userAddr: 0x10n, mmapOffset: 0x1000n }],
  memRegion: REGION,
  log: { size: 0x2000n, offset: 0x1000n },
  config: { offset: 4, size: 3, flags: 0, data: Uint8Array.of(1, 2, 3) },
  iotlb: { iova: 0xffff_ffff_ffff_f000n, size: 0x1000n, userAddr: 0x7f00n, perm: 3, type: 2 },
  inflight: { mmapSize: 0x1000n, mmapOffset: 0n, numQueues: 2, queueSize: 256 },
  blob: Uint8Array.of(9, 8, 7),
  vringArea: { index: 1, noFd: false, size: 0x1000n, offset: 0x2000n },
  uuid: Uint8Array.from({ length: 16 }, (_, i) => i),
  deviceState: { direction: 1, phase: 0 },
  shmemMap: { shmid: 7, fdOffset: 1n, shmOffset: 2n, len: 3n, flags: 1n },
  shmemConfig: { sizes: Array.from({ length: 256 }, (_, i) => BigInt(i)) },
};

/** Descriptors that the sample of a row comes with. */
export function sampleFdCount(row: MessageRow): number {
  if (row.payload === 'memTable') {
    return SAMPLES.memTable.length;
  }
  return row.payload === 'vringFd' || row.payload === 'vringArea' ? 1 : row.fds.min;
}
