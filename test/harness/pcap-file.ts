/**
 * Classic pcap files, written and read whole: DPDK's net_pcap driver replays one and records another, which puts frames of
 * our making through a DPDK peer and gives back every byte that arrived.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const microseconds = 0xa1b2c3d4;
const nanoseconds = 0xa1b23c4d;
const headerBytes = 24;
const recordBytes = 16;
const ethernet = 1;

/** Writes Ethernet frames with time stamps one microsecond apart. */
export function writePcap(path: string, frames: readonly Uint8Array[]): void {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32LE(microseconds, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(0xffff, 16);
  header.writeUInt32LE(ethernet, 20);
  const parts: Uint8Array[] = [header];
  frames.forEach((frame, index) => {
    const record = Buffer.alloc(recordBytes);
    record.writeUInt32LE(Math.floor(index / 1e6), 0);
    record.writeUInt32LE(index % 1e6, 4);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    parts.push(record, frame);
  });
  writeFileSync(path, Buffer.concat(parts));
}

/**
 * Reads all frames of a file written on a little-endian machine.
 *
 * @throws Error when it is no such file, a record was cut short by the snap length, or the end is missing
 */
export function readPcap(path: string): Uint8Array[] {
  const file = readFileSync(path);
  const magic = file.length >= headerBytes ? file.readUInt32LE(0) : 0;
  if (magic !== microseconds && magic !== nanoseconds)
    throw new Error(`${path} is no little-endian pcap file`);
  const frames: Uint8Array[] = [];
  let at = headerBytes;
  while (at < file.length) {
    if (at + recordBytes > file.length) throw new Error(`${path}: record header cut at ${at}`);
    const captured = file.readUInt32LE(at + 8);
    if (captured !== file.readUInt32LE(at + 12))
      throw new Error(`${path}: frame ${frames.length} was truncated`);
    const start = at + recordBytes;
    if (start + captured > file.length)
      throw new Error(`${path}: frame ${frames.length} cut at the end of the file`);
    frames.push(file.subarray(start, start + captured));
    at = start + captured;
  }
  return frames;
}
