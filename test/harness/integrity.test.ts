import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 as zlibCrc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import {
  checkFrame,
  checkFrameAt,
  crc32,
  frameFault,
  minFrameLength,
  SequenceLog,
  writeFrame,
} from './integrity.js';
import { readPcap, writePcap } from './pcap-file.js';

function frame(seq: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  writeFrame(bytes, seq, length);
  return bytes;
}

describe('frames with sequence and CRC', () => {
  test('the CRC is CRC-32 of IEEE 802.3', () => {
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
    const bytes = frame(7, 600);
    expect(crc32(bytes)).toBe(zlibCrc32(bytes));
  });

  test.each([minFrameLength, 60, 64, 1518, 9014, 65535])('a frame of %i bytes checks', (length) => {
    for (const seq of [0, 1, 255, 65536, 0xffffffff]) {
      expect(checkFrame(frame(seq, length))).toEqual({ ok: true, seq, reason: '' });
    }
  });

  test('every flipped bit behind the MAC addresses is noticed', () => {
    const bytes = frame(12345, 90);
    for (let bit = 12 * 8; bit < bytes.length * 8; bit += 1) {
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(checkFrame(bytes).ok, `bit ${bit}`).toBe(false);
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
    }
    expect(checkFrame(bytes).ok).toBe(true);
  });

  test('MAC addresses may change on the way', () => {
    const bytes = frame(3, 64);
    bytes.fill(0xee, 0, 12);
    expect(checkFrame(bytes)).toMatchObject({ ok: true, seq: 3 });
  });

  test('cut, padded, foreign and swapped payloads are told apart', () => {
    const bytes = frame(9, 200);
    expect(checkFrame(bytes.subarray(0, 20)).reason).toContain('shorter');
    expect(checkFrameAt(bytes, 0, 199)).toBe(frameFault.wrongLength);
    const padded = new Uint8Array(204);
    padded.set(bytes);
    expect(checkFrameAt(padded, 0, 204)).toBe(frameFault.wrongLength);
    expect(checkFrameAt(new Uint8Array(64), 0, 64)).toBe(frameFault.foreign);
    // A payload of another frame under a CRC made to fit: only a relay that mixes buffers and recomputes could do that.
    const mixed = frame(9, 200);
    mixed.set(frame(10, 200).subarray(24, 196), 24);
    const crc = crc32(mixed, 12, 196);
    new DataView(mixed.buffer).setUint32(196, crc);
    expect(checkFrameAt(mixed, 0, 200)).toBe(frameFault.badPayload);
  });

  test('works at an offset in a larger array', () => {
    const arena = new Uint8Array(4096);
    writeFrame(arena, 77, 128, 1000);
    expect(checkFrameAt(arena, 1000, 128)).toBe(77);
    expect(() => writeFrame(arena, 1, 128, 4000)).toThrow(RangeError);
    expect(() => writeFrame(arena, 1, minFrameLength - 1)).toThrow(RangeError);
  });

  test('the sequence log counts missing, double and reordered frames', () => {
    const log = new SequenceLog(6);
    for (const seq of [0, 2, 1, 1, 5, 9]) log.add(seq);
    expect({ ...log, missing: log.missing }).toMatchObject({
      received: 4,
      duplicates: 1,
      outOfOrder: 1,
      unexpected: 1,
      missing: 2,
    });
  });
});

describe('pcap files', () => {
  test('what was written is read back, and damage is named', () => {
    const dir = mkdtempSync(join(tmpdir(), 'pw-'));
    try {
      const path = join(dir, 'a.pcap');
      const frames = [frame(0, 60), frame(1, 1514), frame(2, 9014)];
      writePcap(path, frames);
      expect(readPcap(path).map((bytes) => checkFrame(bytes))).toEqual(
        [0, 1, 2].map((seq) => ({ ok: true, seq, reason: '' })),
      );
      writeFileSync(path, 'no capture at all, but long enough');
      expect(() => readPcap(path)).toThrow('no little-endian pcap');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
