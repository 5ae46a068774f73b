/**
 * What a back-end session remembers of its front-end: negotiation, status, rings, memory, as plain data. Read by the
 * rules (session-rules.ts), written by the actions (backend-actions.ts), shown to people who ask why a link is down.
 */
import { DeviceStatus, Feature } from './features.js';
import type { FrontendRequestName, Phase } from './messages.js';
import type { MemoryRegion, VringAddr } from './payloads.js';
import { ProtocolFeature } from './protocol-features.js';

/** How a notification travels: not set up, by eventfd, or not at all because the other side polls. */
export type Notify = 'unset' | 'eventfd' | 'poll';

/** One vring as the messages describe it. */
export interface RingState {
  readonly index: number;
  /** Entries; 0: not set. */
  size: number;
  addr: VringAddr | undefined;
  base: number;
  /** As SET_VRING_ENABLE left it; see `SessionState.ringEnabled` for what counts. */
  enabled: boolean;
  /** Between SET_VRING_KICK and GET_VRING_BASE. */
  started: boolean;
  kick: Notify;
  call: Notify;
  err: Notify;
}

export class SessionState {
  readonly offeredFeatures: bigint;
  readonly offeredProtocolFeatures: bigint;
  readonly rings: readonly RingState[];
  readonly maxMemorySlots: number;
  /** See BackendOptions. */
  readonly remedyFor: (features: bigint) => string | undefined;
  featuresRead = false;
  /** The driver's word as sent; undefined before SET_FEATURES. */
  ackedFeatures: bigint | undefined;
  /** The word in force: acked without dependent bits; 0 before SET_FEATURES. */
  features = 0n;
  /** The last SET_FEATURES was refused: FEATURES_OK will not stick until an acceptable one comes. */
  featuresRefused = false;
  /** Undefined before SET_PROTOCOL_FEATURES. */
  ackedProtocolFeatures: bigint | undefined;
  status = 0;
  owned = false;
  regions: readonly MemoryRegion[] = [];
  /** Regions that were added again while they were there: QEMU 7.2 adds and removes each one once for every queue pair. */
  repeatedRegions: readonly MemoryRegion[] = [];
  /** Postcopy: nothing, advised, or listening for faults. */
  postcopy: 'off' | 'advised' | 'listening' = 'off';
  /** A table or region was answered with addresses; the front-end's confirmation is due. */
  postcopyConfirmation = false;

  constructor(offer: {
    features: bigint;
    protocolFeatures: bigint;
    vringCount: number;
    maxMemorySlots: number;
    remedyFor?: (features: bigint) => string | undefined;
  }) {
    this.remedyFor = offer.remedyFor ?? (() => undefined);
    this.offeredFeatures = offer.features;
    this.offeredProtocolFeatures = offer.protocolFeatures;
    this.maxMemorySlots = offer.maxMemorySlots;
    this.rings = Array.from({ length: offer.vringCount }, (_, index) => newRing(index));
  }

  get phase(): Phase {
    if (this.ackedFeatures !== undefined) {
      return 'features-set';
    }
    return this.featuresRead ? 'features-read' : 'connected';
  }

  get featuresAccepted(): boolean {
    return this.ackedFeatures !== undefined && !this.featuresRefused;
  }

  get protocolFeatures(): bigint {
    return this.ackedProtocolFeatures ?? 0n;
  }

  /** Acks are sent when asked for. SET_PROTOCOL_FEATURES alone decides; SET_FEATURES comes later. */
  get replyAck(): boolean {
    return (this.protocolFeatures & ProtocolFeature.REPLY_ACK) !== 0n;
  }

  get packed(): boolean {
    return (this.features & Feature.VIRTIO_F_RING_PACKED) !== 0n;
  }

  /** Whether the driver may expect the device to run: DRIVER_OK, where a status is negotiated at all. */
  get live(): boolean {
    const hasStatus = (this.protocolFeatures & ProtocolFeature.STATUS) !== 0n;
    return !hasStatus || (this.status & DeviceStatus.DRIVER_OK) !== 0;
  }

  /** Whether the ring is started on a live device: its set-up may not change under it. */
  ringRunning(ring: RingState): boolean {
    return ring.started && this.live;
  }

  get anyRingRunning(): boolean {
    return this.rings.some((ring) => this.ringRunning(ring));
  }

  /** Rings follow SET_VRING_ENABLE if the driver acked F_PROTOCOL_FEATURES, and are always enabled if it did not. */
  get ringsStartEnabled(): boolean {
    const word = this.ackedFeatures;
    return word !== undefined && (word & Feature.VHOST_USER_F_PROTOCOL_FEATURES) === 0n;
  }

  ringEnabled(ring: RingState): boolean {
    return this.ringsStartEnabled || ring.enabled;
  }

  /** Take note of a refusal that later messages depend on. */
  refused(name: FrontendRequestName): void {
    if (name === 'SET_FEATURES') {
      this.featuresRefused = true;
      this.status &= ~DeviceStatus.FEATURES_OK;
    }
  }

  /** Forget everything that RESET_DEVICE resets; connection, owner and protocol features stay. */
  resetDevice(): void {
    this.ackedFeatures = undefined;
    this.features = 0n;
    this.featuresRefused = false;
    this.status = 0;
    for (const ring of this.rings) {
      Object.assign(ring, newRing(ring.index));
    }
  }

  /** Forget sizes and addresses: they were given for the other ring layout. */
  forgetLayout(): void {
    for (const ring of this.rings) {
      Object.assign(ring, { size: 0, addr: undefined, base: 0, started: false });
    }
  }
}

function newRing(index: number): RingState {
  return {
    index,
    size: 0,
    addr: undefined,
    base: 0,
    enabled: false,
    started: false,
    kick: 'unset',
    call: 'unset',
    err: 'unset',
  };
}
