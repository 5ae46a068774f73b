/**
 * What a well-formed message may do in the present state of a session: the columns of the message table first, then
 * one rule per message that has limits of its own. Pure: answers a refusal or nothing, changes nothing.
 */
import { DeviceStatus, Feature, featureNames, statusNames } from './features.js';
import { checkRegion, checkRegions, overlapWith, sameRegion, sameTable } from './memory-layout.js';
import type { FrontendMessage, FrontendRequestName, MessageOf, Phase } from './messages.js';
import { featureMask } from './messages.js';
import type { ConfigAccess, InflightArea, VringAddr } from './payloads.js';
import { IotlbType } from './payloads.js';
import { protocolFeatureConflict, protocolFeatureNames } from './protocol-features.js';
import type { Refusal } from './refusal.js';
import { hex, refuse, refuseFatally } from './refusal.js';
import type { RingState, SessionState } from './session-state.js';

/** Largest ring, split or packed (virtio 1.2 §2.7, §2.8). */
export const MAX_VRING_SIZE = 32768;
export const MIN_MTU = 68;
export const MAX_MTU = 65535;
/** Largest access to the configuration space in one message. */
export const MAX_CONFIG_SIZE = 256;
const SPACE = 1n << 64n;

type Verdict = Refusal | undefined;

/** Whether the session may act on the message. */
export function checkMessage(state: SessionState, message: FrontendMessage): Verdict {
  return (
    checkPhase(state, message) ??
    checkFeature(state, message) ??
    checkRing(state, message) ??
    checkValue(state, message)
  );
}

/** The vring a message is about, or undefined. */
export function ringIndexOf(message: FrontendMessage): number | undefined {
  return message.row.ring === 'none' ? undefined : (message.payload as { readonly index: number }).index;
}

/** The ring of a message that has passed the rules. */
export function ringOf(state: SessionState, index: number): RingState {
  const ring = state.rings[index];
  if (ring === undefined) {
    throw new RangeError(`vring ${index} was not checked`);
  }
  return ring;
}

const PHASES: readonly Phase[] = ['connected', 'features-read', 'features-set'];
const MISSING: Readonly<Record<Phase, string>> = {
  connected: '',
  'features-read': 'GET_FEATURES',
  'features-set': 'SET_FEATURES',
};

function checkPhase(state: SessionState, message: FrontendMessage): Verdict {
  const { phase } = message.row;
  if (PHASES.indexOf(state.phase) < PHASES.indexOf(phase)) {
    return refuse(`${message.name} came before ${MISSING[phase]}`, 'VHOST_BAD_STATE');
  }
  return undefined;
}

function checkFeature(state: SessionState, message: FrontendMessage): Verdict {
  if ((featureMask(message.row) & ~state.protocolFeatures) !== 0n) {
    const reason = `${message.name} needs protocol feature ${message.row.feature}, which is not negotiated`;
    return refuse(reason, 'VHOST_NOT_NEGOTIATED');
  }
  return undefined;
}

function checkRing(state: SessionState, message: FrontendMessage): Verdict {
  const index = ringIndexOf(message);
  if (index === undefined) {
    return undefined;
  }
  const ring = state.rings[index];
  if (ring === undefined) {
    const reason = `${message.name}: vring ${index} does not exist; there are ${state.rings.length} (0 to ${state.rings.length - 1})`;
    return refuseFatally(reason, 'VHOST_BAD_VRING_INDEX');
  }
  if (!state.ringRunning(ring) || message.row.ring === 'any') {
    return undefined;
  }
  if (message.row.ring === 'same-if-running' && sameAreas(ring.addr, message.payload as VringAddr)) {
    return undefined;
  }
  return refuse(`${message.name}: vring ${index} runs; stop it with GET_VRING_BASE first`, 'VHOST_BAD_STATE');
}

/** A running ring may switch logging, not move. */
function sameAreas(a: VringAddr | undefined, b: VringAddr): boolean {
  return a !== undefined && a.desc === b.desc && a.avail === b.avail && a.used === b.used;
}

function checkValue(state: SessionState, message: FrontendMessage): Verdict {
  const rule = RULES[message.name] as ((state: SessionState, payload: unknown) => Verdict) | undefined;
  return rule?.(state, message.payload);
}

type Rules = {
  readonly [N in FrontendRequestName]?: (state: SessionState, payload: MessageOf<N>['payload']) => Verdict;
};

const RULES: Rules = {
  SET_FEATURES: (state, word) => {
    const unoffered = word & ~state.offeredFeatures;
    if (unoffered !== 0n) {
      const reason = `SET_FEATURES ${hex(word)}: not offered: ${featureNames(unoffered).join(', ')}`;
      const remedy = state.remedyFor(unoffered);
      return refuse(remedy === undefined ? reason : `${reason}; ${remedy}`, 'VHOST_BAD_FEATURES');
    }
    const changed = (word ^ (state.ackedFeatures ?? word)) & ~Feature.VHOST_F_LOG_ALL;
    if (changed !== 0n && state.anyRingRunning) {
      const names = featureNames(changed).join(', ');
      return refuse(
        `SET_FEATURES changes ${names} while a vring runs; only VHOST_F_LOG_ALL may`,
        'VHOST_BAD_STATE',
      );
    }
    return undefined;
  },

  SET_PROTOCOL_FEATURES: (state, word) => {
    if ((state.offeredFeatures & Feature.VHOST_USER_F_PROTOCOL_FEATURES) === 0n) {
      return refuse('SET_PROTOCOL_FEATURES: protocol features are not offered', 'VHOST_NOT_NEGOTIATED');
    }
    const unoffered = word & ~state.offeredProtocolFeatures;
    if (unoffered !== 0n) {
      const names = protocolFeatureNames(unoffered).join(', ');
      return refuse(`SET_PROTOCOL_FEATURES ${hex(word)}: not offered: ${names}`, 'VHOST_BAD_FEATURES');
    }
    const conflict = protocolFeatureConflict(word);
    if (conflict !== undefined) {
      return refuseFatally(`SET_PROTOCOL_FEATURES ${hex(word)}: ${conflict}`, 'VHOST_BAD_FEATURES');
    }
    const before = state.ackedProtocolFeatures;
    // QEMU repeats the message for every queue pair, with the same word.
    if (before !== undefined && before !== word) {
      return refuse(
        `SET_PROTOCOL_FEATURES ${hex(word)} after ${hex(before)}: they cannot change`,
        'VHOST_BAD_STATE',
      );
    }
    return undefined;
  },

  SET_MEM_TABLE: (_state, regions) => {
    const problem = regions.length === 0 ? 'the table is empty' : checkRegions(regions);
    return problem === undefined ? undefined : refuseFatally(`SET_MEM_TABLE: ${problem}`, 'VHOST_BAD_MEMORY');
  },

  ADD_MEM_REG: (state, region) => {
    if (state.regions.some((known) => sameTable([known], [region]))) {
      return undefined;
    }
    if (state.regions.length >= state.maxMemorySlots) {
      return refuse(`ADD_MEM_REG: all ${state.maxMemorySlots} memory slots are used`, 'VHOST_BAD_MEMORY');
    }
    const problem = checkRegion(region) ?? overlapWith(region, state.regions);
    return problem === undefined ? undefined : refuse(`ADD_MEM_REG: ${problem}`, 'VHOST_BAD_MEMORY');
  },

  REM_MEM_REG: (state, region) => {
    if (state.regions.some((known) => sameRegion(known, region))) {
      return undefined;
    }
    const { guestAddr, userAddr, size } = region;
    const reason = `REM_MEM_REG: no region at guest ${hex(guestAddr)}, user ${hex(userAddr)}, size ${hex(size)}`;
    return refuse(reason, 'VHOST_BAD_MEMORY');
  },

  SET_VRING_NUM: (state, { index, num }) => {
    if (num < 1 || num > MAX_VRING_SIZE) {
      const reason = `SET_VRING_NUM: vring ${index} with ${num} entries; allowed are 1 to ${MAX_VRING_SIZE}`;
      return refuseFatally(reason, 'VHOST_BAD_VRING_SIZE');
    }
    if (!state.packed && (num & (num - 1)) !== 0) {
      const reason = `SET_VRING_NUM: split vring ${index} with ${num} entries; a power of two is needed`;
      return refuseFatally(reason, 'VHOST_BAD_VRING_SIZE');
    }
    return undefined;
  },

  SET_VRING_ENABLE: (state, { index, num }) => {
    if (num > 1) {
      return refuse(
        `SET_VRING_ENABLE: vring ${index} with value ${num}; allowed are 0 and 1`,
        'VHOST_BAD_FIELD',
      );
    }
    if (state.ringsStartEnabled) {
      const reason = 'SET_VRING_ENABLE needs VHOST_USER_F_PROTOCOL_FEATURES, which was not acked';
      return refuse(reason, 'VHOST_NOT_NEGOTIATED');
    }
    return undefined;
  },

  VRING_KICK: (_state, { num }) => {
    return num === 0
      ? undefined
      : refuse(`VRING_KICK: num is ${num}; it is reserved and 0`, 'VHOST_BAD_FIELD');
  },

  SET_STATUS: (state, word) => {
    if (word > 0xffn) {
      return refuse(`SET_STATUS ${hex(word)}: a status has 8 bits`, 'VHOST_BAD_STATUS');
    }
    const status = Number(word);
    if (status === 0) {
      return undefined;
    }
    // DPDK's front-end starts over without ever writing 0: legal once its rings are stopped.
    const cleared = state.status & ~status & ~DeviceStatus.DEVICE_NEEDS_RESET;
    if (cleared !== 0 && state.rings.some((ring) => ring.started)) {
      const names = statusNames(cleared).join(', ');
      return refuse(
        `SET_STATUS ${hex(status)} clears ${names} while a vring runs; write 0 first`,
        'VHOST_BAD_STATUS',
      );
    }
    if ((status & DeviceStatus.DRIVER_OK) !== 0 && (status & DeviceStatus.FEATURES_OK) === 0) {
      return refuse(`SET_STATUS ${hex(status)}: DRIVER_OK without FEATURES_OK`, 'VHOST_BAD_STATUS');
    }
    if ((status & DeviceStatus.DRIVER_OK) !== 0 && !state.featuresAccepted) {
      return refuse(`SET_STATUS ${hex(status)}: DRIVER_OK without accepted features`, 'VHOST_BAD_STATUS');
    }
    return undefined;
  },

  NET_SET_MTU: (_state, mtu) => {
    if (mtu >= MIN_MTU && mtu <= MAX_MTU) {
      return undefined;
    }
    return refuse(
      `NET_SET_MTU: ${mtu} is not an MTU; allowed are ${MIN_MTU} to ${MAX_MTU}`,
      'VHOST_BAD_FIELD',
    );
  },

  IOTLB_MSG: (state, message) => {
    if ((state.features & Feature.VIRTIO_F_ACCESS_PLATFORM) === 0n) {
      return refuse(
        'IOTLB_MSG needs VIRTIO_F_ACCESS_PLATFORM, which is not negotiated',
        'VHOST_NOT_NEGOTIATED',
      );
    }
    if (message.type !== IotlbType.UPDATE && message.type !== IotlbType.INVALIDATE) {
      return refuse(
        `IOTLB_MSG: type ${message.type}; a front-end sends 2 update and 3 invalidate`,
        'VHOST_BAD_FIELD',
      );
    }
    const { iova, size, userAddr } = message;
    const isUpdate = message.type === IotlbType.UPDATE;
    if (iova + size > SPACE || (isUpdate && userAddr + size > SPACE)) {
      const reason = `IOTLB_MSG: iova ${hex(iova)} or user ${hex(userAddr)} + size ${hex(size)} exceeds 2^64`;
      return refuse(reason, 'VHOST_BAD_FIELD');
    }
    return isUpdate && size === 0n ? refuse('IOTLB_MSG: update of size 0', 'VHOST_BAD_FIELD') : undefined;
  },

  SET_LOG_BASE: (_state, { size, offset }) => {
    if (size === 0n || size + offset > SPACE) {
      return refuse(`SET_LOG_BASE: log of ${hex(size)} bytes at offset ${hex(offset)}`, 'VHOST_BAD_MEMORY');
    }
    return undefined;
  },

  GET_CONFIG: (_state, access) => checkConfig('GET_CONFIG', access),
  SET_CONFIG: (_state, access) => checkConfig('SET_CONFIG', access),
  GET_INFLIGHT_FD: (state, area) => checkInflight('GET_INFLIGHT_FD', state, area),
  SET_INFLIGHT_FD: (state, area) => {
    const problem = checkInflight('SET_INFLIGHT_FD', state, area);
    if (problem !== undefined) {
      return problem;
    }
    if (area.mmapSize === 0n || area.mmapSize + area.mmapOffset > SPACE) {
      const reason = `SET_INFLIGHT_FD: region of ${hex(area.mmapSize)} bytes at ${hex(area.mmapOffset)}`;
      return refuse(reason, 'VHOST_BAD_MEMORY');
    }
    return undefined;
  },

  POSTCOPY_LISTEN: (state) => {
    return state.postcopy === 'off'
      ? refuse('POSTCOPY_LISTEN before POSTCOPY_ADVISE', 'VHOST_BAD_STATE')
      : undefined;
  },
};

function checkConfig(name: string, { offset, size, flags }: ConfigAccess): Verdict {
  if (size < 1 || size > MAX_CONFIG_SIZE || offset + size > MAX_CONFIG_SIZE) {
    const reason = `${name}: ${size} bytes at offset ${offset}; the space has ${MAX_CONFIG_SIZE} bytes`;
    return refuse(reason, 'VHOST_BAD_FIELD');
  }
  if (flags > 1) {
    return refuse(`${name}: flags ${hex(flags)}; allowed are 0 and 1`, 'VHOST_BAD_FIELD');
  }
  return undefined;
}

function checkInflight(name: string, state: SessionState, { numQueues, queueSize }: InflightArea): Verdict {
  if (numQueues < 1 || numQueues > state.rings.length || queueSize < 1 || queueSize > MAX_VRING_SIZE) {
    const reason = `${name}: ${numQueues} queues of ${queueSize}; allowed are 1 to ${state.rings.length} of 1 to ${MAX_VRING_SIZE}`;
    return refuse(reason, 'VHOST_BAD_FIELD');
  }
  return undefined;
}
