/**
 * How a vhost socket is registered, checked: options in, a plan out. Called by VhostSocket; what a connection then gets is all in the
 * plan.
 */
import { PollwireError } from '@pollwire/native';
import type { ExternHandlers } from '@pollwire/vhost-user';
import { featureNames, ProtocolFeature } from '@pollwire/vhost-user';
import type { ConfigSpace, DeviceKind } from './device-kind.js';
import { NET_DEVICE } from './device-kind.js';
import { OTHER_FEATURES, offeredFeatures } from './features.js';
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
}

/** Options with defaults, checked. */
export interface SocketPlan {
  readonly device: 'net' | 'other';
  readonly rings: number;
  /** Answer to GET_QUEUE_NUM. */
  readonly queueNum: number;
  readonly features: bigint;
  readonly protocolFeatures: bigint;
  readonly extraProtocolFeatures: bigint;
  readonly kind: DeviceKind;
}

const MAX_PAIRS = 128;
const MAX_RINGS = 256;
/** Protocol features that mean something for a network card only. */
const NET_ONLY = ProtocolFeature.NET_MTU | ProtocolFeature.RARP;
const ALL = (1n << 64n) - 1n;

/** @throws PollwireError `VHOST_QUEUE_PAIRS`, `VHOST_RINGS`, `VHOST_OPTIONS` */
export function planSocket(options: VhostOptions): SocketPlan {
  const { device = 'net', extern, extraProtocolFeatures = 0n, protocolFeatures = ALL } = options;
  const common = { device, extraProtocolFeatures, protocolFeatures };
  const externKind = extern === undefined ? {} : { extern };
  if (device === 'net') {
    refuseOptions(options, ['rings', 'config', 'request'], "only a device of kind 'other' has them");
    const pairs = options.queuePairs ?? 1;
    if (!isCount(pairs, MAX_PAIRS)) {
      const text = `${pairs} queue pairs: give a whole number from 1 to ${MAX_PAIRS}.`;
      throw new PollwireError('VHOST_QUEUE_PAIRS', text);
    }
    const features = options.features ?? offeredFeatures();
    return { ...common, rings: pairs * 2, queueNum: pairs, features, kind: { ...NET_DEVICE, ...externKind } };
  }
  refuseOptions(options, ['queuePairs'], "only a device of kind 'net' has them; give rings");
  const { features, rings = 1, config, request } = options;
  if (features === undefined) {
    throw new PollwireError('VHOST_OPTIONS', "A device of kind 'other' needs features; there is no default.");
  }
  const impossible = features & ~OTHER_FEATURES;
  if (impossible !== 0n) {
    const names = featureNames(impossible).join(', ');
    throw new PollwireError(
      'VHOST_UNSUPPORTED_FEATURE',
      `features: ${names} cannot be offered here; leave it out.`,
    );
  }
  if (!isCount(rings, MAX_RINGS)) {
    throw new PollwireError('VHOST_RINGS', `${rings} rings: give a whole number from 1 to ${MAX_RINGS}.`);
  }
  const kind: DeviceKind = {
    readyRings: 1,
    ...externKind,
    ...(config === undefined ? {} : { config }),
    ...(request === undefined ? {} : { request }),
  };
  return {
    ...common,
    protocolFeatures: protocolFeatures & ~NET_ONLY,
    rings,
    queueNum: rings,
    features,
    kind,
  };
}

function isCount(value: number, most: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= most;
}

function refuseOptions(options: VhostOptions, names: readonly (keyof VhostOptions)[], why: string): void {
  for (const name of names) {
    if (options[name] !== undefined) throw new PollwireError('VHOST_OPTIONS', `Leave out ${name}: ${why}.`);
  }
}
