/**
 * The usual life of a front-end, in the order of DPDK's virtio-user: negotiate, start, stop. Programs that need
 * another order call FrontendClient themselves.
 */
import { PollwireError } from '@pollwire/native';
import { DeviceStatus, Feature, featureNames } from './features.js';
import type { FrontendClient, SharedRegion } from './frontend.js';
import { ProtocolFeature } from './protocol-features.js';

const FEATURES_STATUS = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER | DeviceStatus.FEATURES_OK;

/** What a driver would like. */
export interface FeatureWishes {
  /** Virtio features wanted; those not offered are left out. */
  readonly features: bigint;
  /** Virtio features without which there is no point; default none. */
  readonly required?: bigint;
  /** Protocol features wanted; default MQ, REPLY_ACK and STATUS, as DPDK. */
  readonly protocolFeatures?: bigint;
}

/** What was agreed. Features are not yet acked: {@link startDevice} does that. */
export interface Negotiated {
  readonly features: bigint;
  readonly protocolFeatures: bigint;
  /** Queue pairs that the back-end has; undefined without MQ. */
  readonly queueNum: number | undefined;
}

/** One vring to start. Descriptors stay the caller's. */
export interface VringPlan {
  readonly index: number;
  readonly size: number;
  readonly desc: bigint;
  readonly avail: bigint;
  readonly used: bigint;
  /** Default 0; packed rings of a fresh device start at 0x8000 (wrap counter set). */
  readonly base?: number;
  /** Undefined: the back-end polls. */
  readonly kickFd?: number | undefined;
  /** Undefined: we poll. */
  readonly callFd?: number | undefined;
}

export interface DevicePlan {
  /** Virtio features to ack, from {@link negotiate}. */
  readonly features: bigint;
  readonly regions: readonly SharedRegion[];
  readonly vrings: readonly VringPlan[];
  /** Vrings to enable; default all. Ignored without protocol features. */
  readonly enable?: readonly number[];
}

/** SET_OWNER, GET_FEATURES, protocol features, queue count. */
export async function negotiate(client: FrontendClient, wishes: FeatureWishes): Promise<Negotiated> {
  await client.setOwner();
  const offered = await client.getFeatures();
  const missing = (wishes.required ?? 0n) & ~offered;
  if (missing !== 0n) {
    const text = `the back-end does not offer ${featureNames(missing).join(', ')}`;
    throw new PollwireError('VHOST_BAD_FEATURES', text);
  }
  const hasProtocol = (offered & Feature.VHOST_USER_F_PROTOCOL_FEATURES) !== 0n;
  const features = (offered & wishes.features) | (offered & Feature.VHOST_USER_F_PROTOCOL_FEATURES);
  if (!hasProtocol) {
    return { features, protocolFeatures: 0n, queueNum: undefined };
  }
  const wanted =
    wishes.protocolFeatures ?? ProtocolFeature.MQ | ProtocolFeature.REPLY_ACK | ProtocolFeature.STATUS;
  const protocolFeatures = (await client.getProtocolFeatures()) & wanted;
  await client.setProtocolFeatures(protocolFeatures);
  const hasQueues = (protocolFeatures & ProtocolFeature.MQ) !== 0n;
  return { features, protocolFeatures, queueNum: hasQueues ? await client.getQueueNum() : undefined };
}

/**
 * Ack the features, share memory, set up and start the rings, enable them, DRIVER_OK. Calls come before features and
 * first-pair enables before DRIVER_OK, as DPDK does it.
 */
export async function startDevice(client: FrontendClient, plan: DevicePlan): Promise<void> {
  const rings = inSetupOrder(plan.vrings);
  const hasStatus = (client.protocolFeatures & ProtocolFeature.STATUS) !== 0n;
  const canEnable = (plan.features & Feature.VHOST_USER_F_PROTOCOL_FEATURES) !== 0n;
  for (const ring of rings) {
    await client.setVringCall(ring.index, ring.callFd);
  }
  await client.setFeatures(plan.features);
  if (hasStatus) {
    await client.setStatus(FEATURES_STATUS);
    await client.checkFeaturesOk();
  }
  await client.setMemoryTable(plan.regions);
  for (const ring of rings) {
    await startVring(client, ring);
  }
  const enable = canEnable ? (plan.enable ?? plan.vrings.map((ring) => ring.index)) : [];
  for (const index of enable.filter((index) => index < 2)) {
    await client.setVringEnable(index, true);
  }
  if (hasStatus) {
    await client.setStatus(FEATURES_STATUS | DeviceStatus.DRIVER_OK);
  }
  for (const index of enable.filter((index) => index >= 2)) {
    await client.setVringEnable(index, true);
  }
}

/** NUM, BASE, ADDR, KICK: set up one ring and start it. */
export async function startVring(client: FrontendClient, ring: VringPlan): Promise<void> {
  const { index, desc, avail, used } = ring;
  await client.setVringNum(index, ring.size);
  await client.setVringBase(index, ring.base ?? 0);
  await client.setVringAddr({ index, flags: 0, desc, avail, used, log: 0n });
  await client.setVringKick(index, ring.kickFd);
}

/**
 * Disable and stop every ring.
 * @returns where each ring stands, by vring index
 */
export async function stopDevice(
  client: FrontendClient,
  vrings: readonly number[],
): Promise<Map<number, number>> {
  if ((client.features & Feature.VHOST_USER_F_PROTOCOL_FEATURES) !== 0n) {
    for (const index of vrings) {
      await client.setVringEnable(index, false);
    }
  }
  const bases = new Map<number, number>();
  for (const index of vrings) {
    bases.set(index, await client.getVringBase(index));
  }
  return bases;
}

/** Receive rings (even) first, then transmit rings: 0, 2, 1, 3. */
function inSetupOrder(vrings: readonly VringPlan[]): VringPlan[] {
  return vrings.toSorted((a, b) => (a.index % 2) - (b.index % 2) || a.index - b.index);
}
