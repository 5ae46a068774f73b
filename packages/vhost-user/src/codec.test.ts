/** Walks every row of both message tables through the codec, legal and illegal, then random bytes. */
import { describe, expect, it } from 'vitest';
import {
  decodeHeader,
  decodeReply,
  decodeRequest,
  encodeMessage,
  encodeReply,
  encodeRequest,
  FLAG_NEED_REPLY,
  FLAG_REPLY,
  HEADER_SIZE,
  VERSION,
} from './codec.js';
import type { Direction, MessageRow } from './messages.js';
import { BACKEND_REQUESTS, FRONTEND_REQUESTS } from './messages.js';
import { CODECS, MAX_PAYLOAD } from './payload-codecs.js';
import { IotlbType } from './payloads.js';
import { FdHolder } from './received-fd.js';
import type { Reject } from './refusal.js';
import { isReject } from './refusal.js';
import { Random } from './testing/random.js';
import { REGION, SAMPLES, sampleFdCount } from './testing/samples.js';

const fds = (count: number) => Array.from({ length: count }, (_, i) => new FdHolder(i, () => undefined));
const head = (message: Uint8Array) => message.subarray(0, HEADER_SIZE);
const body = (message: Uint8Array) => message.subarray(HEADER_SIZE);

function decode(direction: Direction, message: Uint8Array, fdCount: number) {
  const args = [head(message), body(message), fds(fdCount)] as const;
  return direction === 'frontend' ? decodeRequest('frontend', ...args) : decodeRequest('backend', ...args);
}

function expectReject(result: unknown, code: string): Reject {
  if (!isReject(result)) {
    throw new Error(`expected ${code}, got a message`);
  }
  expect(result.code).toBe(code);
  for (const word of [result.message, result.field, result.value, result.limit]) {
    expect(word).not.toBe('');
    expect(result.text).toContain(word);
  }
  return result;
}

const rows: [Direction, MessageRow][] = [
  ...Object.values(FRONTEND_REQUESTS).map((row): [Direction, MessageRow] => ['frontend', row]),
  ...Object.values(BACKEND_REQUESTS).map((row): [Direction, MessageRow] => ['backend', row]),
];

describe.each(rows)('%s request %o', (direction, row) => {
  const message = encodeRequest(row, SAMPLES[row.payload], true);
  const fdCount = sampleFdCount(row);

  it('decodes to what was encoded', () => {
    const decoded = decode(direction, message, fdCount);
    expect(decoded).toMatchObject({
      kind: 'message',
      name: row.name,
      needReply: true,
      payload: SAMPLES[row.payload],
    });
    expect(encodeRequest(row, SAMPLES[row.payload], true)).toEqual(message);
  });

  it('is rejected with a payload that is too short or too long by one byte', () => {
    const sample = body(message);
    // Any length from 1 to 4096 is a legal blob; everything else has one right length for its contents.
    const wrong = row.payload === 'blob' ? [0, MAX_PAYLOAD + 1] : [sample.length - 1, sample.length + 1];
    for (const length of wrong.filter((bytes) => bytes >= 0)) {
      const payload = new Uint8Array(length);
      payload.set(sample.subarray(0, length));
      const result = decode(direction, encodeMessage(row.id, VERSION, payload), fdCount);
      expect(isReject(result), `${row.name} with ${length} bytes`).toBe(true);
      expect((result as Reject).text).toContain(row.name);
    }
  });

  it('is rejected when the header and the payload disagree', () => {
    const lying = message.slice();
    new DataView(lying.buffer).setUint32(8, body(message).length + 4, true);
    expectReject(decode(direction, lying, fdCount), 'VHOST_BAD_PAYLOAD_SIZE');
  });

  it('is rejected with any wrong number of descriptors', () => {
    const isCounted = ['memTable', 'vringFd', 'vringArea'].includes(row.payload);
    for (const count of [0, 1, 2, 3, 4, 7, 8, 9, 16, 63, 64, 65, 252, 253]) {
      const legal = isCounted ? count === fdCount : count >= row.fds.min && count <= row.fds.max;
      const result = decode(direction, message, count);
      expect(isReject(result), `${row.name} with ${count} descriptors`).toBe(!legal);
      if (!legal) {
        expectReject(result, 'VHOST_BAD_FD_COUNT');
      }
    }
  });
});

describe('headers', () => {
  const message = encodeRequest(FRONTEND_REQUESTS.GET_FEATURES, undefined);
  const withFlags = (flags: number) => encodeMessage(1, flags, new Uint8Array(0));

  it('need version 1', () => {
    for (const version of [0, 2, 3]) {
      expectReject(decode('frontend', withFlags(version), 0), 'VHOST_BAD_VERSION');
    }
  });

  it('of requests have no reply flag, of replies one', () => {
    expectReject(decode('frontend', withFlags(VERSION | FLAG_REPLY), 0), 'VHOST_UNEXPECTED_REPLY');
    expectReject(decodeHeader(message, 'frontend', 'reply'), 'VHOST_UNEXPECTED_REPLY');
  });

  it('have no reserved flag bits', () => {
    for (let bit = 4; bit < 32; bit += 1) {
      expectReject(decode('frontend', withFlags((VERSION | (2 ** bit)) >>> 0), 0), 'VHOST_BAD_FLAGS');
    }
  });

  it('announce at most 4096 bytes', () => {
    for (const size of [4097, 0x7fff_ffff, 0xffff_ffff]) {
      const bytes = message.slice();
      new DataView(bytes.buffer).setUint32(8, size, true);
      expectReject(decodeHeader(bytes, 'frontend', 'request'), 'VHOST_PAYLOAD_TOO_LARGE');
    }
  });

  it('are 12 bytes', () => {
    for (let length = 0; length < HEADER_SIZE; length += 1) {
      expect(isReject(decodeRequest('frontend', message.subarray(0, length), new Uint8Array(0), []))).toBe(
        true,
      );
    }
  });

  it('name a known request', () => {
    for (const id of [0, 45, 0x7fff_ffff, 0xffff_ffff]) {
      const result = decode('frontend', encodeMessage(id, VERSION, new Uint8Array(0)), 0);
      expect(expectReject(result, 'VHOST_UNKNOWN_REQUEST').message).toBe(`request ${id}`);
    }
    expectReject(
      decode('backend', encodeMessage(11, VERSION, new Uint8Array(0)), 0),
      'VHOST_UNKNOWN_REQUEST',
    );
  });
});

describe('payloads', () => {
  const payloadOf = (row: MessageRow, payload: Uint8Array, count: number) => {
    return decode('frontend', encodeMessage(row.id, VERSION, payload), count);
  };

  it('keep 64-bit numbers exact', () => {
    const top = 0xffff_ffff_ffff_ffffn;
    const sent = encodeRequest(FRONTEND_REQUESTS.SET_FEATURES, top);
    expect(decode('frontend', sent, 0)).toMatchObject({ payload: top });
  });

  it('of vring descriptors have an index, one flag and nothing else', () => {
    const word = (value: bigint) => CODECS.u64.encode(value);
    const { SET_VRING_KICK } = FRONTEND_REQUESTS;
    expect(payloadOf(SET_VRING_KICK, word(0xffn), 1)).toMatchObject({ payload: { index: 255, noFd: false } });
    expect(payloadOf(SET_VRING_KICK, word(0x103n), 0)).toMatchObject({ payload: { index: 3, noFd: true } });
    for (const value of [0x200n, 0xffffn, 0x1_0000n, 1n << 63n]) {
      expectReject(payloadOf(SET_VRING_KICK, word(value), 1), 'VHOST_BAD_FIELD');
    }
    // "No descriptor" with one, and a descriptor announced that did not come.
    expectReject(payloadOf(SET_VRING_KICK, word(0x103n), 1), 'VHOST_BAD_FD_COUNT');
    expectReject(payloadOf(SET_VRING_KICK, word(3n), 0), 'VHOST_BAD_FD_COUNT');
  });

  it('of memory tables have as many regions and descriptors as they say', () => {
    const { SET_MEM_TABLE } = FRONTEND_REQUESTS;
    for (let count = 1; count <= 8; count += 1) {
      const regions = Array.from({ length: count }, () => REGION);
      const payload = CODECS.memTable.encode(regions);
      expect(payloadOf(SET_MEM_TABLE, payload, count)).toMatchObject({ payload: regions });
      expectReject(payloadOf(SET_MEM_TABLE, payload, count - 1), 'VHOST_BAD_FD_COUNT');
      expectReject(payloadOf(SET_MEM_TABLE, payload, count + 1), 'VHOST_BAD_FD_COUNT');
    }
    for (const claimed of [2, 9, 33, 0xffff_ffff]) {
      const payload = CODECS.memTable.encode([REGION]);
      new DataView(payload.buffer).setUint32(0, claimed, true);
      expectReject(payloadOf(SET_MEM_TABLE, payload, 1), 'VHOST_BAD_FIELD');
    }
  });

  it('of configuration accesses carry what their size says', () => {
    for (const claimed of [0, 2, 4, 0xffff_ffff]) {
      const payload = CODECS.config.encode(SAMPLES.config);
      new DataView(payload.buffer).setUint32(4, claimed, true);
      expectReject(payloadOf(FRONTEND_REQUESTS.GET_CONFIG, payload, 0), 'VHOST_BAD_FIELD');
    }
  });

  it('of IOTLB messages have known types and permissions', () => {
    for (const [at, value] of [
      [24, 4],
      [24, 255],
      [25, 0],
      [25, 5],
    ] as const) {
      const payload = CODECS.iotlb.encode(SAMPLES.iotlb);
      payload[at] = value;
      expectReject(payloadOf(FRONTEND_REQUESTS.IOTLB_MSG, payload, 0), 'VHOST_BAD_FIELD');
    }
  });

  it('of an IOTLB invalidation may have anything where the permissions are: QEMU leaves them as they were', () => {
    const payload = CODECS.iotlb.encode({ ...SAMPLES.iotlb, type: IotlbType.INVALIDATE });
    payload[24] = 8;
    expect(
      CODECS.iotlb.decode(new DataView(payload.buffer, payload.byteOffset, payload.length)),
    ).toMatchObject({ type: IotlbType.INVALIDATE, perm: 0 });
  });

  it('do not depend on where in a buffer they lie', () => {
    const message = encodeRequest(FRONTEND_REQUESTS.SET_VRING_ADDR, SAMPLES.vringAddr);
    const shifted = new Uint8Array(message.length + 3);
    shifted.set(message, 3);
    expect(decode('frontend', shifted.subarray(3), 0)).toMatchObject({ payload: SAMPLES.vringAddr });
  });
});

describe('replies', () => {
  const { GET_FEATURES, GET_CONFIG } = FRONTEND_REQUESTS;
  const number = { payloads: ['u64'], fds: { min: 0, max: 0 } } as const;
  const reply = encodeReply(GET_FEATURES, 'u64', 5n);

  it('decode', () => {
    expect(decodeReply('frontend', GET_FEATURES, number, head(reply), body(reply), [])).toMatchObject({
      payload: 5n,
    });
  });

  it('must answer the request that waits, with its size, flags and descriptors', () => {
    const decodeBytes = (bytes: Uint8Array, count = 0) => {
      return decodeReply('frontend', GET_FEATURES, number, head(bytes), body(bytes), fds(count));
    };
    expectReject(decodeBytes(encodeReply(FRONTEND_REQUESTS.GET_STATUS, 'u64', 5n)), 'VHOST_BAD_REPLY');
    expectReject(decodeBytes(encodeMessage(1, VERSION, new Uint8Array(8))), 'VHOST_UNEXPECTED_REPLY');
    const asking = encodeMessage(1, VERSION | FLAG_REPLY | FLAG_NEED_REPLY, new Uint8Array(8));
    expectReject(decodeBytes(asking), 'VHOST_BAD_FLAGS');
    for (const size of [0, 7, 9]) {
      expectReject(
        decodeBytes(encodeMessage(1, VERSION | FLAG_REPLY, new Uint8Array(size))),
        'VHOST_BAD_PAYLOAD_SIZE',
      );
    }
    expectReject(decodeBytes(reply, 1), 'VHOST_BAD_FD_COUNT');
  });

  it('may have one of several forms', () => {
    const form = { payloads: ['config', 'none'], fds: { min: 0, max: 0 } } as const;
    const empty = encodeReply(GET_CONFIG, 'none', undefined);
    const full = encodeReply(GET_CONFIG, 'config', SAMPLES.config);
    expect(decodeReply('frontend', GET_CONFIG, form, head(empty), body(empty), [])).toMatchObject({
      payload: undefined,
    });
    expect(decodeReply('frontend', GET_CONFIG, form, head(full), body(full), [])).toMatchObject({
      payload: SAMPLES.config,
    });
  });
});

describe('decoding is total', () => {
  it('of random bytes with plausible headers', () => {
    const random = new Random(20_240_601);
    let accepted = 0;
    for (let i = 0; i < 8_000; i += 1) {
      const row = random.pick(Object.values(FRONTEND_REQUESTS) as [MessageRow, ...MessageRow[]]);
      const codec = CODECS[row.payload];
      const length = random.pick([codec.min, codec.max, random.below(64), random.below(600)]);
      const bytes = encodeMessage(row.id, VERSION, random.bytes(Math.min(length, 512)));
      const direction = random.pick<Direction>(['frontend', 'backend']);
      const result = decode(direction, bytes, random.below(3));
      accepted += isReject(result) ? 0 : 1;
    }
    expect(accepted).toBeGreaterThan(300);
  });

  it('of random bytes altogether', () => {
    const random = new Random(7);
    for (let i = 0; i < 8_000; i += 1) {
      const bytes = random.bytes(random.below(80));
      expect(['message', 'reject']).toContain(decode('frontend', bytes, random.below(4)).kind);
    }
  });
});
