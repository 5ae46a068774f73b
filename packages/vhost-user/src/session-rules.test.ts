/** Every message in every state, and the limits that single messages have. */
import { describe, expect, it } from 'vitest';
import { Feature } from './features.js';
import type { FrontendMessage, FrontendRequestName, MessageRow } from './messages.js';
import { FRONTEND_REQUESTS } from './messages.js';
import type { PayloadKind } from './payloads.js';
import type { ProtocolFeatureName } from './protocol-features.js';
import { ProtocolFeature } from './protocol-features.js';
import { checkMessage } from './session-rules.js';
import { SessionState } from './session-state.js';
import { REGION, SAMPLES } from './testing/samples.js';

const ALL = 0xffff_ffff_ffff_ffffn;
const EVERY_PROTOCOL_FEATURE = Object.values(ProtocolFeature).reduce((sum, bit) => sum | bit, 0n);

/** States a session passes through, each with what makes it up. */
const STATES = {
  connected: () => newState(),
  'features-read': () => newState({ featuresRead: true }),
  'protocol features acked': () =>
    newState({ featuresRead: true, ackedProtocolFeatures: EVERY_PROTOCOL_FEATURE }),
  'features-set': () => configured(),
  'features-set without protocol features': () =>
    configured({ ackedFeatures: 0n, features: 0n, ackedProtocolFeatures: undefined }),
  started: () => started(),
  running: () => running(),
} as const;

function newState(changes: Partial<SessionState> = {}): SessionState {
  const offer = { features: ALL, protocolFeatures: EVERY_PROTOCOL_FEATURE, vringCount: 4, maxMemorySlots: 3 };
  return Object.assign(new SessionState(offer), changes);
}

function configured(changes: Partial<SessionState> = {}): SessionState {
  const features = Feature.VHOST_USER_F_PROTOCOL_FEATURES | Feature.VIRTIO_F_ACCESS_PLATFORM;
  return newState({
    featuresRead: true,
    ackedFeatures: features,
    features,
    ackedProtocolFeatures: EVERY_PROTOCOL_FEATURE,
    regions: [REGION],
    postcopy: 'advised',
    ...changes,
  });
}

/** Ring 1 has been kicked, DRIVER_OK has not been written. */
function started(): SessionState {
  const state = configured();
  Object.assign(state.rings[1] ?? {}, { started: true, size: 256, addr: SAMPLES.vringAddr });
  return state;
}

function running(): SessionState {
  return Object.assign(started(), { status: 0x0f });
}

/** A legal payload for a message in the states above. */
const PAYLOADS: Partial<Record<FrontendRequestName, unknown>> = {
  SET_FEATURES: Feature.VHOST_USER_F_PROTOCOL_FEATURES | Feature.VIRTIO_F_ACCESS_PLATFORM,
  SET_PROTOCOL_FEATURES: EVERY_PROTOCOL_FEATURE,
  ADD_MEM_REG: { ...REGION, guestAddr: 0x4000_0000n, userAddr: 0x1000n },
  SET_VRING_ENABLE: { index: 1, num: 1 },
  VRING_KICK: { index: 1, num: 0 },
  NET_SET_MTU: 1500n,
  SET_STATUS: 0x0fn,
  IOTLB_MSG: { ...SAMPLES.iotlb, iova: 0n },
};

function message(name: FrontendRequestName, payload?: unknown): FrontendMessage {
  const row: MessageRow = FRONTEND_REQUESTS[name];
  const chosen = payload ?? PAYLOADS[name] ?? SAMPLES[row.payload as PayloadKind];
  return {
    kind: 'message',
    name,
    row,
    needReply: false,
    payload: chosen,
    fds: [],
  } as unknown as FrontendMessage;
}

const codeOf = (state: SessionState, name: FrontendRequestName, payload?: unknown) => {
  return checkMessage(state, message(name, payload))?.code ?? 'ok';
};

describe('every message in every state', () => {
  const ORDER = ['connected', 'features-read', 'features-set'];
  const names = Object.keys(FRONTEND_REQUESTS) as FrontendRequestName[];

  it.each(Object.keys(STATES) as (keyof typeof STATES)[])('%s', (name) => {
    for (const request of names) {
      const state = STATES[name]();
      const row: MessageRow = FRONTEND_REQUESTS[request];
      const code = codeOf(state, request);
      const tooEarly = ORDER.indexOf(state.phase) < ORDER.indexOf(row.phase);
      const notNegotiated = row.feature !== undefined && state.ackedProtocolFeatures === undefined;
      const isRunning = name === 'running' && row.ring === 'stopped';
      let expected = 'ok';
      if (tooEarly) {
        expected = 'VHOST_BAD_STATE';
      } else if (notNegotiated) {
        expected = 'VHOST_NOT_NEGOTIATED';
      } else if (isRunning) {
        expected = 'VHOST_BAD_STATE';
      } else if (SPECIAL[request]?.[name] !== undefined) {
        expected = SPECIAL[request][name] ?? 'ok';
      }
      expect(`${request}: ${code}`).toBe(`${request}: ${expected}`);
    }
  });

  /** Verdicts that are a message's own rule and not a column of the table. */
  const SPECIAL: Partial<Record<FrontendRequestName, Partial<Record<keyof typeof STATES, string>>>> = {
    REM_MEM_REG: { 'protocol features acked': 'VHOST_BAD_MEMORY' },
    SET_STATUS: { 'protocol features acked': 'VHOST_BAD_STATUS' },
    POSTCOPY_LISTEN: { 'protocol features acked': 'VHOST_BAD_STATE' },
    SET_VRING_ENABLE: { 'features-set without protocol features': 'VHOST_NOT_NEGOTIATED' },
    IOTLB_MSG: { 'features-set without protocol features': 'VHOST_NOT_NEGOTIATED' },
  };

  it('a feature-gated message is refused for want of exactly that feature', () => {
    for (const request of names) {
      const { feature } = FRONTEND_REQUESTS[request];
      if (feature !== undefined) {
        const without = EVERY_PROTOCOL_FEATURE & ~ProtocolFeature[feature as ProtocolFeatureName];
        const refusal = checkMessage(configured({ ackedProtocolFeatures: without }), message(request));
        expect(refusal?.code, request).toBe('VHOST_NOT_NEGOTIATED');
        expect(refusal?.reason).toContain(feature);
      }
    }
  });
});

describe('vring indices', () => {
  it('are below the count, in every message that has one, or the connection ends', () => {
    for (const [name, row] of Object.entries(FRONTEND_REQUESTS) as [FrontendRequestName, MessageRow][]) {
      if (row.ring === 'none') {
        continue;
      }
      const legal = (PAYLOADS[name] ?? SAMPLES[row.payload as PayloadKind]) as object;
      for (const index of [4, 255, 256, 65_535, 65_536, 0xffff_ffff]) {
        const refusal = checkMessage(configured(), message(name, { ...legal, index }));
        expect(refusal, `${name} ${index}`).toMatchObject({ code: 'VHOST_BAD_VRING_INDEX', fatal: true });
        expect(refusal?.reason).toContain(String(index));
      }
    }
  });
});

describe('vring sizes', () => {
  const packed = () => {
    const features = Feature.VIRTIO_F_RING_PACKED | Feature.VHOST_USER_F_PROTOCOL_FEATURES;
    return configured({ ackedFeatures: features, features });
  };
  it.each([0, 32_769, 65_536, 0xffff_ffff])('%i is refused', (num) => {
    for (const state of [configured(), packed()]) {
      expect(checkMessage(state, message('SET_VRING_NUM', { index: 0, num }))).toMatchObject({ fatal: true });
    }
  });
  it('of split rings are powers of two, 1 included; of packed rings any', () => {
    for (const num of [1, 2, 256, 32_768]) {
      expect(codeOf(configured(), 'SET_VRING_NUM', { index: 0, num })).toBe('ok');
    }
    for (const num of [3, 255, 32_767]) {
      expect(codeOf(configured(), 'SET_VRING_NUM', { index: 0, num })).toBe('VHOST_BAD_VRING_SIZE');
      expect(codeOf(packed(), 'SET_VRING_NUM', { index: 0, num })).toBe('ok');
    }
  });
});

describe('a running ring', () => {
  it('may switch logging but not move', () => {
    const addr = SAMPLES.vringAddr;
    expect(codeOf(running(), 'SET_VRING_ADDR', { ...addr, flags: 0, log: 0n })).toBe('ok');
    for (const field of ['desc', 'avail', 'used']) {
      expect(codeOf(running(), 'SET_VRING_ADDR', { ...addr, [field]: 0x9000n })).toBe('VHOST_BAD_STATE');
    }
  });

  it('is one of a live device: before DRIVER_OK everything may still change', () => {
    expect(codeOf(started(), 'SET_VRING_NUM')).toBe('ok');
    expect(codeOf(Object.assign(running(), { status: 0 }), 'SET_VRING_NUM')).toBe('ok');
  });

  it('keeps the features, except for logging', () => {
    const state = running();
    const before = state.ackedFeatures ?? 0n;
    expect(codeOf(state, 'SET_FEATURES', before)).toBe('ok');
    expect(codeOf(state, 'SET_FEATURES', before | Feature.VHOST_F_LOG_ALL)).toBe('ok');
    expect(codeOf(state, 'SET_FEATURES', before | Feature.VIRTIO_NET_F_MRG_RXBUF)).toBe('VHOST_BAD_STATE');
    expect(codeOf(configured(), 'SET_FEATURES', before | Feature.VIRTIO_NET_F_MRG_RXBUF)).toBe('ok');
  });
});

describe('negotiation', () => {
  it('refuses what was not offered, by name', () => {
    const state = newState({ featuresRead: true });
    Object.assign(state, {
      offeredFeatures: Feature.VHOST_USER_F_PROTOCOL_FEATURES,
      offeredProtocolFeatures: 0n,
    });
    const features = checkMessage(state, message('SET_FEATURES', Feature.VIRTIO_NET_F_MRG_RXBUF));
    expect(features).toMatchObject({ code: 'VHOST_BAD_FEATURES' });
    expect(features?.reason).toContain('VIRTIO_NET_F_MRG_RXBUF');
    expect(checkMessage(state, message('SET_PROTOCOL_FEATURES', ProtocolFeature.MQ))?.reason).toContain('MQ');
  });

  it('of protocol features needs them offered, and happens once', () => {
    const state = newState({ featuresRead: true });
    expect(codeOf(state, 'SET_PROTOCOL_FEATURES', 0n)).toBe('ok');
    state.ackedProtocolFeatures = ProtocolFeature.MQ;
    expect(codeOf(state, 'SET_PROTOCOL_FEATURES', ProtocolFeature.MQ)).toBe('ok');
    expect(codeOf(state, 'SET_PROTOCOL_FEATURES', 0n)).toBe('VHOST_BAD_STATE');
    Object.assign(state, { offeredFeatures: 0n });
    expect(codeOf(state, 'SET_PROTOCOL_FEATURES', 0n)).toBe('VHOST_NOT_NEGOTIATED');
  });

  it('of in-band notifications alone ends the connection', () => {
    const state = newState({ featuresRead: true });
    const refusal = checkMessage(
      state,
      message('SET_PROTOCOL_FEATURES', ProtocolFeature.INBAND_NOTIFICATIONS),
    );
    expect(refusal).toMatchObject({ fatal: true });
  });
});

describe('status', () => {
  it.each([
    ['more than 8 bits', configured(), 0x100n, 'VHOST_BAD_STATUS'],
    ['DRIVER_OK without FEATURES_OK', configured(), 0x07n, 'VHOST_BAD_STATUS'],
    ['DRIVER_OK before SET_FEATURES', STATES['protocol features acked'](), 0x0fn, 'VHOST_BAD_STATUS'],
    ['bits cleared while a ring runs', running(), 0x0bn, 'VHOST_BAD_STATUS'],
    ['bits cleared when rings are stopped, as DPDK restarts', configured({ status: 0x0f }), 0x0bn, 'ok'],
    ['reset, at any time', running(), 0n, 'ok'],
    ['FEATURES_OK alone, as QEMU 7.2 writes it', configured(), 0x08n, 'ok'],
    ['FAILED', running(), 0x8fn, 'ok'],
  ] as const)('%s', (_what, state, value, expected) => {
    expect(codeOf(state, 'SET_STATUS', value)).toBe(expected);
  });
});

describe('memory', () => {
  it('tables without regions, with overlap or wrap end the connection', () => {
    for (const regions of [
      [],
      [REGION, REGION],
      [{ ...REGION, size: 0n }],
      [{ ...REGION, guestAddr: ALL }],
    ]) {
      const refusal = checkMessage(configured(), message('SET_MEM_TABLE', regions));
      expect(refusal).toMatchObject({ code: 'VHOST_BAD_MEMORY', fatal: true });
    }
  });

  it('regions come into free slots, without overlap', () => {
    const shifted = { ...REGION, guestAddr: REGION.guestAddr + 0x1000n };
    expect(codeOf(configured(), 'ADD_MEM_REG', shifted)).toBe('VHOST_BAD_MEMORY');
    expect(codeOf(configured(), 'ADD_MEM_REG', { ...REGION, mmapOffset: 0x1000n })).toBe('VHOST_BAD_MEMORY');
    const full = configured({ regions: [REGION, REGION, REGION] });
    expect(checkMessage(full, message('ADD_MEM_REG'))?.reason).toContain('3 memory slots');
  });

  it('regions go that are there', () => {
    expect(codeOf(configured(), 'REM_MEM_REG', REGION)).toBe('ok');
    expect(codeOf(configured(), 'REM_MEM_REG', { ...REGION, mmapOffset: 5n })).toBe('ok');
    expect(codeOf(configured(), 'REM_MEM_REG', { ...REGION, size: 5n })).toBe('VHOST_BAD_MEMORY');
    expect(codeOf(configured({ regions: [] }), 'REM_MEM_REG', REGION)).toBe('VHOST_BAD_MEMORY');
  });

  it('translations are updates or invalidations, up to the very end of the address space', () => {
    const top = 0xffff_ffff_ffff_f000n;
    const iotlb = { iova: top, size: 0x1000n, userAddr: 0n, perm: 3 };
    expect(codeOf(configured(), 'IOTLB_MSG', { ...iotlb, type: 2 })).toBe('ok');
    expect(codeOf(configured(), 'IOTLB_MSG', { ...iotlb, type: 3 })).toBe('ok');
    expect(codeOf(configured(), 'IOTLB_MSG', { ...iotlb, size: 0n, type: 3 })).toBe('ok');
    expect(codeOf(configured(), 'IOTLB_MSG', { ...iotlb, size: 0x1001n, type: 3 })).toBe('VHOST_BAD_FIELD');
    expect(codeOf(configured(), 'IOTLB_MSG', { ...iotlb, size: 0n, type: 2 })).toBe('VHOST_BAD_FIELD');
    expect(codeOf(configured(), 'IOTLB_MSG', { ...iotlb, userAddr: top + 1n, type: 2 })).toBe(
      'VHOST_BAD_FIELD',
    );
    for (const type of [1, 4]) {
      expect(codeOf(configured(), 'IOTLB_MSG', { ...iotlb, type })).toBe('VHOST_BAD_FIELD');
    }
  });

  it('logs and in-flight regions have a size and do not wrap', () => {
    expect(codeOf(configured(), 'SET_LOG_BASE', { size: 0n, offset: 0n })).toBe('VHOST_BAD_MEMORY');
    expect(codeOf(configured(), 'SET_LOG_BASE', { size: ALL, offset: 2n })).toBe('VHOST_BAD_MEMORY');
    const area = SAMPLES.inflight;
    expect(codeOf(configured(), 'SET_INFLIGHT_FD', { ...area, mmapSize: 0n })).toBe('VHOST_BAD_MEMORY');
    expect(codeOf(configured(), 'SET_INFLIGHT_FD', { ...area, mmapSize: ALL, mmapOffset: 2n })).toBe(
      'VHOST_BAD_MEMORY',
    );
    for (const bad of [{ numQueues: 0 }, { numQueues: 5 }, { queueSize: 0 }, { queueSize: 32_769 }]) {
      expect(codeOf(configured(), 'GET_INFLIGHT_FD', { ...area, ...bad })).toBe('VHOST_BAD_FIELD');
      expect(codeOf(configured(), 'SET_INFLIGHT_FD', { ...area, ...bad })).toBe('VHOST_BAD_FIELD');
    }
  });
});

describe('other values', () => {
  it.each([0n, 67n, 65_536n, 1n << 63n])('MTU %i is refused', (mtu) => {
    expect(codeOf(configured(), 'NET_SET_MTU', mtu)).toBe('VHOST_BAD_FIELD');
  });
  it.each([68n, 65_535n])('MTU %i is taken', (mtu) => {
    expect(codeOf(configured(), 'NET_SET_MTU', mtu)).toBe('ok');
  });
  it('enable is 0 or 1', () => {
    expect(codeOf(configured(), 'SET_VRING_ENABLE', { index: 0, num: 2 })).toBe('VHOST_BAD_FIELD');
  });
  it('an in-band kick has a reserved field of 0', () => {
    expect(codeOf(configured(), 'VRING_KICK', { index: 0, num: 1 })).toBe('VHOST_BAD_FIELD');
  });
  it('configuration accesses stay inside the space', () => {
    const access = (offset: number, size: number, flags = 0) => ({
      offset,
      size,
      flags,
      data: new Uint8Array(size),
    });
    for (const name of ['GET_CONFIG', 'SET_CONFIG'] as const) {
      expect(codeOf(configured(), name, access(0, 256))).toBe('ok');
      for (const bad of [
        access(0, 0),
        access(0, 257),
        access(250, 7),
        access(0xffff_ffff, 1),
        access(0, 1, 2),
      ]) {
        expect(codeOf(configured(), name, bad)).toBe('VHOST_BAD_FIELD');
      }
    }
  });
});
