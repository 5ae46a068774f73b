/**
 * "Why is the link down?": everything that is known of a socket and the device behind it, as plain data (JSON can hold it) and as lines.
 * Called by VhostSocket.describe and, through net_vhost, by testpmd's `show vhost`.
 */
import { native } from '@pollwire/native';
import type { BackendSession } from '@pollwire/vhost-user';
import {
  featureNames,
  formatTraceEntry,
  protocolFeatureNames,
  RingFeature,
  statusNames,
} from '@pollwire/vhost-user';
import type { VhostDevice } from './device.js';
import { memoryMayBeAbsent, privateMemory } from './why-not-ready.js';

/** A word with the names of its bits. */
export interface NamedBits {
  readonly word: string;
  readonly names: readonly string[];
}

/** One ring. Addresses are the front-end's user addresses, in hexadecimal. */
export interface RingDescription {
  readonly ring: number;
  /** The first condition that keeps it from being ready; undefined when it is. */
  readonly missing: string | undefined;
  readonly ready: boolean;
  readonly started: boolean;
  readonly enabled: boolean;
  readonly size: number;
  readonly desc: string | undefined;
  readonly avail: string | undefined;
  readonly used: string | undefined;
  /** How the sides notify each other: `unset`, `eventfd`, or `poll` (no descriptor). */
  readonly kick: string;
  readonly call: string;
  /** Where we stand, and what the driver's and our published indices are. */
  readonly lastAvail: number;
  readonly lastUsed: number;
  readonly availIdx: number;
  readonly usedIdx: number;
  readonly waiting: number;
  /** Why the data path gave it up; '' while it is in order. */
  readonly broken: string;
}

export interface DeviceDescription {
  readonly id: number;
  readonly ready: boolean;
  /** The first missing condition in words; undefined when all are met. */
  readonly missing: string | undefined;
  readonly features: NamedBits;
  readonly protocolFeatures: NamedBits;
  /** Bits of the device status byte; undefined when it is not negotiated. */
  readonly status: readonly string[] | undefined;
  readonly mtu: number;
  readonly memory: readonly { guestAddr: string; userAddr: string; size: string; offset: string }[];
  readonly rings: readonly RingDescription[];
  /** The last messages, oldest first. */
  readonly timeline: readonly string[];
}

/** Entries of the time line that are shown. */
const TIMELINE = 32;
/** Indices that cannot be looked at. */
const UNSEEN = { lastAvail: 0, lastUsed: 0, availIdx: 0, usedIdx: 0, broken: '' };
const hex = (value: bigint) => `0x${value.toString(16)}`;

/** Everything about a connected device. Only while its connection lives. */
export function describeDevice(device: VhostDevice, netDevice = true): DeviceDescription {
  const { session } = device;
  const protocol = session?.protocolFeatures ?? 0n;
  const names = netDevice ? featureNames(device.features) : featureNames(device.features, RingFeature);
  return {
    id: device.id,
    ready: device.ready,
    missing: device.whyNotReady() ?? privateMemory(device),
    features: { word: hex(device.features), names },
    protocolFeatures: { word: hex(protocol), names: protocolFeatureNames(protocol) },
    status: protocolFeatureNames(protocol).includes('STATUS') ? statusNames(device.status) : undefined,
    mtu: device.mtu,
    memory: (session?.regions ?? []).map(({ guestAddr, userAddr, size, mmapOffset }) => {
      return {
        guestAddr: hex(guestAddr),
        userAddr: hex(userAddr),
        size: hex(size),
        offset: hex(mmapOffset),
      };
    }),
    rings: device.rings.map(({ index }) => describeRing(device, index)),
    timeline: timelineOf(session),
  };
}

/** The last entries of a session's time line, as lines. */
export function timelineOf(session: BackendSession | undefined): string[] {
  return (session?.trace.entries ?? []).slice(-TIMELINE).map(formatTraceEntry);
}

function describeRing(device: VhostDevice, index: number): RingDescription {
  const ring = device.rings[index];
  if (ring === undefined) throw new RangeError(`there is no ring ${index}`);
  const state = memoryMayBeAbsent(device) ? UNSEEN : native.vhostRingState(device.id, index);
  const said = device.session?.rings[index];
  return {
    ring: index,
    missing: ring.missing,
    ready: ring.ready,
    started: ring.started,
    enabled: ring.enabled,
    size: ring.size,
    desc: ring.addr && hex(ring.addr.desc),
    avail: ring.addr && hex(ring.addr.avail),
    used: ring.addr && hex(ring.addr.used),
    kick: said?.kick ?? 'unset',
    call: said?.call ?? 'unset',
    lastAvail: ring.started ? state.lastAvail : ring.base,
    lastUsed: state.lastUsed,
    availIdx: state.availIdx,
    usedIdx: state.usedIdx,
    waiting: memoryMayBeAbsent(device) ? 0 : native.vhostRingInspect(device.id, index).waiting,
    broken: state.broken,
  };
}

/** A device as lines. */
export function deviceLines(d: DeviceDescription): string[] {
  return [
    `device ${d.id}: ${d.ready ? 'ready' : 'not ready'}`,
    `features ${d.features.word}: ${d.features.names.join(' ') || 'none'}`,
    `protocol features ${d.protocolFeatures.word}: ${d.protocolFeatures.names.join(' ') || 'none'}`,
    `status: ${d.status === undefined ? 'not negotiated' : d.status.join(' ') || 'none'}`,
    ...(d.mtu === 0 ? [] : [`mtu: ${d.mtu}`]),
    `memory: ${d.memory.length} region${d.memory.length === 1 ? '' : 's'}`,
    ...d.memory.map((m) => `  guest ${m.guestAddr} size ${m.size} user ${m.userAddr} offset ${m.offset}`),
    ...d.rings.flatMap(ringLines),
    'messages:',
    ...d.timeline.map((line) => `  ${line}`),
  ];
}

function ringLines(r: RingDescription): string[] {
  const state = r.missing === undefined ? 'ready' : `not ready: ${r.missing}`;
  if (r.size === 0 && r.desc === undefined) return [`ring ${r.ring}: ${state}`];
  const broken = r.broken === '' ? '' : ` broken ${r.broken}`;
  return [
    `ring ${r.ring}: ${state}`,
    `  size ${r.size} desc ${r.desc ?? '-'} avail ${r.avail ?? '-'} used ${r.used ?? '-'}`,
    `  last avail ${r.lastAvail} last used ${r.lastUsed} avail idx ${r.availIdx} used idx ${r.usedIdx} waiting ${r.waiting}`,
    `  kick ${r.kick} call ${r.call} ${r.enabled ? 'enabled' : 'disabled'} ${r.started ? 'started' : 'stopped'}${broken}`,
  ];
}
