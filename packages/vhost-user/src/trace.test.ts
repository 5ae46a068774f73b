/** The time line: bounded, folded, readable, without the peer's bytes. */
import { describe, expect, it } from 'vitest';
import { FRONTEND_REQUESTS } from './messages.js';
import { SAMPLES } from './testing/samples.js';
import { formatTraceEntry, Trace, traceFields } from './trace.js';

describe('time line', () => {
  it('keeps the newest entries and counts all', () => {
    const trace = new Trace(4);
    for (let i = 0; i < 10; i += 1) {
      trace.add({ dir: 'in', name: 'SET_VRING_NUM', fields: { index: i } });
    }
    expect(trace.total).toBe(10);
    expect(trace.entries.map((entry) => entry.seq)).toEqual([6, 7, 8, 9]);
  });

  it('folds repeats into one entry', () => {
    let now = 100;
    const trace = new Trace(16, () => now);
    for (let i = 0; i < 3; i += 1) {
      trace.add({ dir: 'in', name: 'GET_STATUS' });
      now += 5;
    }
    trace.add({ dir: 'in', name: 'GET_STATUS', needReply: true });
    expect(trace.entries).toMatchObject([
      { count: 3, at: 0, lastAt: 10 },
      { count: 1, at: 15 },
    ]);
  });

  it('prints a line for each entry', () => {
    const trace = new Trace(16, () => 0);
    trace.add({ dir: 'in', name: 'SET_FEATURES', fields: { u64: 0x950008000n }, needReply: true, fds: 1 });
    const [entry] = trace.entries;
    expect(entry && formatTraceEntry(entry)).toBe(
      '+0000 ms in   SET_FEATURES u64=0x950008000 fds=1 ack-wanted',
    );
  });

  it('holds no bytes of the peer, only how many', () => {
    const { GET_CONFIG, CREATE_CRYPTO_SESSION, SET_MEM_TABLE, GET_FEATURES } = FRONTEND_REQUESTS;
    expect(traceFields(CREATE_CRYPTO_SESSION, SAMPLES.blob)).toEqual({ bytes: 3 });
    expect(traceFields(GET_CONFIG, SAMPLES.config)).toEqual({ offset: 4, size: 3, flags: 0 });
    expect(traceFields(SET_MEM_TABLE, SAMPLES.memTable)).toEqual({ regions: 2, bytes: 0x10_0001n });
    expect(traceFields(GET_FEATURES, undefined)).toEqual({});
  });
});
