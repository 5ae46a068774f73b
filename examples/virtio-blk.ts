// A disk in a file as a virtio block device answers for it (virtio 1.2 §5.2): requests in, status bytes out.
// Used by vhost-user-blk.ts; knows no sockets.
import type { FileHandle } from 'node:fs/promises';
import type { VringRequest } from '@pollwire/vhost';

const SECTOR = 512;
const HEADER = 16;
/** Bytes of the file in memory at one time, for each request. */
const CHUNK = 256 * 1024;
/** Elements of one request, header and status apart. */
const SEGMENTS = 126;

const Type = { IN: 0, OUT: 1, FLUSH: 4, GET_ID: 8 } as const;
const Status = { OK: 0, IOERR: 1, UNSUPP: 2 } as const;

/** §5.2.3: numbers of the device's own feature bits. */
export const BlkFeature = {
  SEG_MAX: 1n << 2n,
  RO: 1n << 5n,
  BLK_SIZE: 1n << 6n,
  FLUSH: 1n << 9n,
  MQ: 1n << 12n,
} as const;

export interface DiskOptions {
  readonly readOnly: boolean;
  readonly queues: number;
  /** What GET_ID answers, at most 20 bytes. */
  readonly serial: string;
}

export class Disk {
  readonly features: bigint;
  readonly sectors: bigint;
  readonly #file: FileHandle;
  readonly #options: DiskOptions;

  /** @param bytes size of the file; what is behind its last whole sector is not part of the disk */
  constructor(file: FileHandle, bytes: number, options: DiskOptions) {
    this.#file = file;
    this.#options = options;
    this.sectors = BigInt(Math.floor(bytes / SECTOR));
    const { SEG_MAX, BLK_SIZE, FLUSH, MQ, RO } = BlkFeature;
    this.features = SEG_MAX | BLK_SIZE | FLUSH | MQ | (options.readOnly ? RO : 0n);
  }

  /** The configuration space, §5.2.4. */
  config(): Uint8Array {
    const space = new DataView(new ArrayBuffer(60));
    space.setBigUint64(0, this.sectors, true);
    space.setUint32(12, SEGMENTS, true);
    space.setUint32(20, SECTOR, true);
    space.setUint16(34, this.#options.queues, true);
    return new Uint8Array(space.buffer);
  }

  /** Answers one request; every one that has room for a status byte gets one. */
  async handle(request: VringRequest): Promise<void> {
    const status = await this.#perform(request).catch(() => Status.IOERR);
    // The status is the last byte of the room; a driver that left none has asked for nothing that we could answer.
    const filled = request.writable > 0 && request.write(request.writable - 1, Uint8Array.of(status)) === 1;
    const complete = filled && (status === Status.OK || request.writable === 1);
    request.complete(complete ? request.writable : 0);
  }

  async #perform(request: VringRequest): Promise<number> {
    const header = new DataView(new ArrayBuffer(HEADER));
    if (request.writable < 1 || request.read(0, new Uint8Array(header.buffer)) < HEADER) return Status.IOERR;
    const sector = header.getBigUint64(8, true);
    switch (header.getUint32(0, true)) {
      case Type.IN:
        return this.#transfer(request, sector, request.writable - 1, (at, chunk) =>
          this.#read(request, sector, at, chunk),
        );
      case Type.OUT:
        if (this.#options.readOnly) return Status.IOERR;
        return this.#transfer(request, sector, request.readable - HEADER, (at, chunk) =>
          this.#write(request, sector, at, chunk),
        );
      case Type.FLUSH:
        await this.#file.datasync();
        return Status.OK;
      case Type.GET_ID:
        return this.#getId(request);
      default:
        return Status.UNSUPP;
    }
  }

  /** Moves `length` bytes piece by piece, once they are known to be whole sectors of the disk. */
  async #transfer(
    request: VringRequest,
    sector: bigint,
    length: number,
    move: (at: number, chunk: Uint8Array) => Promise<boolean>,
  ): Promise<number> {
    if (length % SECTOR !== 0 || sector + BigInt(length / SECTOR) > this.sectors) return Status.IOERR;
    const chunk = new Uint8Array(Math.min(length, CHUNK));
    for (let at = 0; at < length; at += chunk.length) {
      if (!request.open) return Status.IOERR;
      if (!(await move(at, chunk.subarray(0, Math.min(chunk.length, length - at))))) return Status.IOERR;
    }
    return Status.OK;
  }

  async #read(request: VringRequest, sector: bigint, at: number, chunk: Uint8Array): Promise<boolean> {
    const position = Number(sector) * SECTOR + at;
    const { bytesRead } = await this.#file.read(chunk, 0, chunk.length, position);
    return bytesRead === chunk.length && request.write(at, chunk) === chunk.length;
  }

  async #write(request: VringRequest, sector: bigint, at: number, chunk: Uint8Array): Promise<boolean> {
    if (request.read(HEADER + at, chunk) !== chunk.length) return false;
    const position = Number(sector) * SECTOR + at;
    const { bytesWritten } = await this.#file.write(chunk, 0, chunk.length, position);
    return bytesWritten === chunk.length;
  }

  #getId(request: VringRequest): number {
    const id = new Uint8Array(20);
    if (request.writable !== id.length + 1) return Status.IOERR;
    new TextEncoder().encodeInto(this.#options.serial, id);
    return request.write(0, id) === id.length ? Status.OK : Status.IOERR;
  }
}
