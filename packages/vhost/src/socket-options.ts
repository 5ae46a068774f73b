/**
 * How a vhost socket is registered, checked: options in, a plan out. Called by VhostSocket; what a connection then gets is all in the
 * plan.
 */
import type { MempoolRef } from '@pollwire/ethdev';
import { PollwireError } from '@pollwire/native';
import type { ExternHandlers } from '@pollwire/vhost-user';
import { Feature, ProtocolFeature } from '@pollwire/vhost-user';
import type { VhostDevice } from './device.js';
import type { ConfigSpace, DeviceKind } from './device-kind.js';
import { NET_DEVICE } from './device-kind.js';
import { IMPLEMENTED_FEATURES, OTHER_FEATURES, offeredFeatures } from './features.js';
import type { RequestHandler } from './request-queue.js';

/** How a vhost socket is registered. */
export interface VhostOptions {
  /** Queue pairs of a network device, 1 to 128; each has two vrings. Default 1. */
  readonly queuePairs?: number;
  /** Connect to the path instead of listening on it, again and again. Default false. */
  readonly client?: boolean;
  /** Client only: give up at the first failure. Default false. */
  readonly noReconnect?: boolean;
  /** Virtio features offered. Default: offeredFeatures(), that is all but the segmentation of what the driver sends. */
  readonly features?: bigint;
  /** Of the possible protocol features, offer these. Default all. */
  readonly protocolFeatures?: bigint;
  /**
   * `net`: a network card. `other`: a device of your own; give `features`, `rings`, and as it needs them `config`, `request`, `extern`.
   * Default `net`.
   */
  readonly device?: 'net' | 'other';
  /** `other` only: vrings, 1 to 256. Default 1. */
  readonly rings?: number;
  /** `other` only: the device's configuration space; offers CONFIG. */
  readonly config?: ConfigSpace;
  /** `other` only: answers the requests of all rings. */
  readonly request?: RequestHandler;
  /** Handlers for messages of your own, or to look at or replace the built-in ones. */
  readonly extern?: ExternHandlers;
  /** Protocol features that the extern handlers serve. Default none. */
  readonly extraProtocolFeatures?: bigint;
  /**
   * Called when a device is ready, before `new_device`. Returning false or throwing refuses it: the connection is closed, which is
   * reported as a problem, and neither `new_device` nor `destroy_device` comes.
   */
  readonly newDevice?: (device: VhostDevice) => boolean | void;
  /** `net` only: a guest may arrive before its memory does (postcopy migration). Default false. */
  readonly postcopy?: boolean;
  /** Client: the first try comes after `start` has returned; that it failed without reconnection is an `error` event. Default false. */
  readonly asyncConnect?: boolean;
  /** `net` only: receivers never chain mbufs; longer packets are dropped unless there is an `extBuffer`. Default false. */
  readonly linearBuffer?: boolean;
  /** `net` only: received packets longer than one mbuf borrow a larger buffer of this pool. Default none. */
  readonly extBuffer?: MempoolRef;
  /** `net` only: received packets carry receive flags; false: transmit requests, as DPDK had it before 21.11. Default true. */
  readonly compliantOlFlags?: boolean;
  /** Whether `device.vring(i).stats()` answers. The counters cost the same either way. Default true. */
  readonly netStats?: boolean;
}

/** Options with defaults, checked. */
export interface SocketPlan {
  readonly device: 'net' | 'other';
  readonly rings: number;
  /** Answer to GET_QUEUE_NUM. */
  readonly queueNum: number;
  /** Features to begin with, and those that can be offered at all. */
  readonly features: bigint;
  readonly possibleFeatures: bigint;
  /** Protocol features that make no sense for this device. */
  readonly withoutProtocolFeatures: bigint;
  readonly extraProtocolFeatures: bigint;
  readonly kind: DeviceKind;
}

const MAX_PAIRS = 128;
const MAX_RINGS = 256;
/** Of a network card, or of rings that bursts serve: requests that are out are neither logged nor tracked. */
const NOT_FOR_REQUESTS =
  ProtocolFeature.NET_MTU |
  ProtocolFeature.RARP |
  ProtocolFeature.LOG_SHMFD |
  ProtocolFeature.INFLIGHT_SHMFD |
  ProtocolFeature.PAGEFAULT |
  ProtocolFeature.BACKEND_REQ;
/** Of the back-end channel only IOTLB misses are sent. */
const NEVER = ProtocolFeature.BACKEND_SEND_FD | ProtocolFeature.HOST_NOTIFIER;

/** @throws PollwireError `VHOST_QUEUE_PAIRS`, `VHOST_RINGS`, `VHOST_OPTIONS` */
export function planSocket(options: VhostOptions): SocketPlan {
  const { client, noReconnect, asyncConnect } = options;
  if (client !== true && (noReconnect === true || asyncConnect === true)) {
    const name = noReconnect === true ? 'noReconnect' : 'asyncConnect';
    throw new PollwireError('VHOST_OPTIONS', `Leave out ${name}: only a client connects; set client: true.`);
  }
  return (options.device ?? 'net') === 'net' ? planNet(options) : planOther(options);
}

function planNet(options: VhostOptions): SocketPlan {
  refuseOptions(options, ['rings', 'config', 'request'], "only a device of kind 'other' has them");
  const { queuePairs = 1, linearBuffer = false, extBuffer, compliantOlFlags = true } = options;
  if (!isCount(queuePairs, MAX_PAIRS)) {
    const text = `${queuePairs} queue pairs: give a whole number from 1 to ${MAX_PAIRS}.`;
    throw new PollwireError('VHOST_QUEUE_PAIRS', text);
  }
  const features = options.features ?? offeredFeatures();
  // What the driver may send must fit where it is received.
  const segmented = offeredFeatures({ tso: true }) & ~offeredFeatures();
  const tooLarge = linearBuffer && extBuffer === undefined ? segmented : 0n;
  return {
    device: 'net',
    rings: queuePairs * 2,
    queueNum: queuePairs,
    features,
    possibleFeatures: IMPLEMENTED_FEATURES & ~tooLarge,
    withoutProtocolFeatures:
      NEVER |
      (options.postcopy === true ? 0n : ProtocolFeature.PAGEFAULT) |
      ((features & Feature.VIRTIO_F_ACCESS_PLATFORM) === 0n ? ProtocolFeature.BACKEND_REQ : 0n),
    extraProtocolFeatures: options.extraProtocolFeatures ?? 0n,
    kind: {
      ...NET_DEVICE,
      ...commonKind(options),
      receive: {
        linear: linearBuffer,
        legacyFlags: !compliantOlFlags,
        ...(extBuffer === undefined ? {} : { buffers: extBuffer.index }),
      },
    },
  };
}

function planOther(options: VhostOptions): SocketPlan {
  const netOnly = ['queuePairs', 'linearBuffer', 'extBuffer', 'compliantOlFlags', 'postcopy'] as const;
  refuseOptions(options, netOnly, "only a device of kind 'net' has it");
  const { features, rings = 1, config, request } = options;
  if (features === undefined) {
    throw new PollwireError('VHOST_OPTIONS', "A device of kind 'other' needs features; there is no default.");
  }
  if (!isCount(rings, MAX_RINGS)) {
    throw new PollwireError('VHOST_RINGS', `${rings} rings: give a whole number from 1 to ${MAX_RINGS}.`);
  }
  return {
    device: 'other',
    rings,
    queueNum: rings,
    features,
    possibleFeatures: OTHER_FEATURES,
    withoutProtocolFeatures: NOT_FOR_REQUESTS | NEVER,
    extraProtocolFeatures: options.extraProtocolFeatures ?? 0n,
    kind: {
      readyRings: 1,
      ...commonKind(options),
      ...(config === undefined ? {} : { config }),
      ...(request === undefined ? {} : { request }),
    },
  };
}

function commonKind({ extern, netStats = true }: VhostOptions): Pick<DeviceKind, 'extern' | 'netStats'> {
  return extern === undefined ? { netStats } : { netStats, extern };
}

function isCount(value: number, most: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= most;
}

function refuseOptions(options: VhostOptions, names: readonly (keyof VhostOptions)[], why: string): void {
  for (const name of names) {
    if (options[name] !== undefined) throw new PollwireError('VHOST_OPTIONS', `Leave out ${name}: ${why}.`);
  }
}
