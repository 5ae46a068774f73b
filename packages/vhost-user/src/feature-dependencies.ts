/**
 * Which virtio-net feature needs which other one (virtio 1.2 §5.1.3.1). The back-end masks dependent offload bits
 * whose base the driver left out; it tolerates control-queue bits, because QEMU and virtio-user answer the control
 * queue themselves and never pass CTRL_VQ on (virtio-user with two pairs sends MQ and CTRL_RX without it).
 */
import type { FeatureName } from './features.js';
import { Feature } from './features.js';

/** A feature together with the features of which at least one must be there too. */
export interface FeatureDependency {
  readonly feature: FeatureName;
  readonly needsOneOf: readonly FeatureName[];
  /** What a back-end does with the bit when none of them is there. */
  readonly policy: 'mask' | 'tolerate';
}

const offload = (feature: FeatureName, ...needsOneOf: FeatureName[]): FeatureDependency => {
  return { feature, needsOneOf, policy: 'mask' };
};
const control = (feature: FeatureName): FeatureDependency => {
  return { feature, needsOneOf: ['VIRTIO_NET_F_CTRL_VQ'], policy: 'tolerate' };
};

/** In an order in which masking one row can only affect later rows. */
export const FEATURE_DEPENDENCIES: readonly FeatureDependency[] = [
  offload('VIRTIO_NET_F_GUEST_TSO4', 'VIRTIO_NET_F_GUEST_CSUM'),
  offload('VIRTIO_NET_F_GUEST_TSO6', 'VIRTIO_NET_F_GUEST_CSUM'),
  offload('VIRTIO_NET_F_GUEST_ECN', 'VIRTIO_NET_F_GUEST_TSO4', 'VIRTIO_NET_F_GUEST_TSO6'),
  offload('VIRTIO_NET_F_GUEST_UFO', 'VIRTIO_NET_F_GUEST_CSUM'),
  offload('VIRTIO_NET_F_GUEST_USO4', 'VIRTIO_NET_F_GUEST_CSUM'),
  offload('VIRTIO_NET_F_GUEST_USO6', 'VIRTIO_NET_F_GUEST_CSUM'),
  offload('VIRTIO_NET_F_HOST_TSO4', 'VIRTIO_NET_F_CSUM'),
  offload('VIRTIO_NET_F_HOST_TSO6', 'VIRTIO_NET_F_CSUM'),
  offload('VIRTIO_NET_F_HOST_ECN', 'VIRTIO_NET_F_HOST_TSO4', 'VIRTIO_NET_F_HOST_TSO6'),
  offload('VIRTIO_NET_F_HOST_UFO', 'VIRTIO_NET_F_CSUM'),
  offload('VIRTIO_NET_F_HOST_USO', 'VIRTIO_NET_F_CSUM'),
  offload('VIRTIO_NET_F_RSC_EXT', 'VIRTIO_NET_F_HOST_TSO4', 'VIRTIO_NET_F_HOST_TSO6'),
  control('VIRTIO_NET_F_CTRL_RX'),
  control('VIRTIO_NET_F_CTRL_VLAN'),
  control('VIRTIO_NET_F_GUEST_ANNOUNCE'),
  control('VIRTIO_NET_F_MQ'),
  control('VIRTIO_NET_F_CTRL_MAC_ADDR'),
  control('VIRTIO_NET_F_NOTF_COAL'),
  control('VIRTIO_NET_F_VQ_NOTF_COAL'),
  control('VIRTIO_NET_F_RSS'),
];

/** A bit that is set without what it needs. */
export interface DependencyIssue extends FeatureDependency {
  /** The issue in one line. */
  readonly text: string;
}

/** Every dependency that a feature word breaks; empty for a sound word. */
export function checkDependencies(word: bigint): DependencyIssue[] {
  return FEATURE_DEPENDENCIES.filter((row) => isBroken(word, row)).map((row) => {
    return { ...row, text: `${row.feature} needs ${row.needsOneOf.join(' or ')}` };
  });
}

/** The word without the offload bits whose base is missing, cascading (no CSUM, no HOST_TSO4, no HOST_ECN). */
export function maskDependents(word: bigint): bigint {
  let masked = word;
  for (const row of FEATURE_DEPENDENCIES) {
    if (row.policy === 'mask' && isBroken(masked, row)) {
      masked &= ~Feature[row.feature];
    }
  }
  return masked;
}

function isBroken(word: bigint, row: FeatureDependency): boolean {
  const base = row.needsOneOf.reduce((all, name) => all | Feature[name], 0n);
  return (word & Feature[row.feature]) !== 0n && (word & base) === 0n;
}
