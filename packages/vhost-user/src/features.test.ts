/** Feature words of real peers by name, and what depends on what. */
import { describe, expect, it } from 'vitest';
import { checkDependencies, maskDependents } from './feature-dependencies.js';
import { Feature, featureNames, hasAll, RingFeature, statusNames } from './features.js';
import { ProtocolFeature, protocolFeatureConflict, protocolFeatureNames } from './protocol-features.js';

/** What DPDK's net_vhost offers by default. */
const DPDK_VHOST_WORD = 0xd7c66e7cbn;

describe('feature names', () => {
  it('are those of the bits, lowest first', () => {
    expect(featureNames(0x950008000n)).toEqual([
      'VIRTIO_NET_F_MRG_RXBUF',
      'VIRTIO_F_INDIRECT_DESC',
      'VHOST_USER_F_PROTOCOL_FEATURES',
      'VIRTIO_F_VERSION_1',
      'VIRTIO_F_IN_ORDER',
    ]);
    expect(featureNames(1n << 63n)).toEqual(['VIRTIO_NET_F_SPEED_DUPLEX']);
    expect(featureNames(0n)).toEqual([]);
  });

  it('count the bits of a word that a real back-end offers', () => {
    const bits = [0, 1, 3, 6, 7, 8, 9, 10, 13, 14, 15, 17, 18, 21, 22, 26, 27, 28, 29, 30, 32, 34, 35];
    const word = bits.reduce((sum, bit) => sum | (1n << BigInt(bit)), 0n);
    expect(word).toBe(DPDK_VHOST_WORD);
    expect(featureNames(word)).toHaveLength(bits.length);
    expect(featureNames(word).filter((name) => name.startsWith('bit '))).toEqual([]);
  });

  it('fall back to the number, also for the bits of another device type', () => {
    expect(featureNames(1n << 4n)).toEqual(['bit 4']);
    expect(featureNames(1n, RingFeature)).toEqual(['bit 0']);
  });

  it('exist for protocol features and status bits', () => {
    expect(protocolFeatureNames(0x10009n)).toEqual(['MQ', 'REPLY_ACK', 'STATUS']);
    expect(statusNames(0x0f)).toEqual(['ACKNOWLEDGE', 'DRIVER', 'DRIVER_OK', 'FEATURES_OK']);
  });

  it('hasAll wants every bit', () => {
    expect(hasAll(6n, 2n)).toBe(true);
    expect(hasAll(6n, 3n)).toBe(false);
  });
});

describe('feature dependencies', () => {
  const { VIRTIO_NET_F_CSUM, VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_HOST_ECN, VIRTIO_NET_F_MQ } = Feature;

  it('are named when broken', () => {
    const texts = checkDependencies(VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_MQ).map((issue) => issue.text);
    expect(texts).toEqual([
      'VIRTIO_NET_F_HOST_TSO4 needs VIRTIO_NET_F_CSUM',
      'VIRTIO_NET_F_MQ needs VIRTIO_NET_F_CTRL_VQ',
    ]);
    expect(checkDependencies(VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_CSUM)).toEqual([]);
  });

  it('are masked in a chain: no CSUM, no HOST_TSO4, no HOST_ECN', () => {
    expect(maskDependents(VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_ECN)).toBe(0n);
    const sound = VIRTIO_NET_F_CSUM | VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_ECN;
    expect(maskDependents(sound)).toBe(sound);
  });

  it('leave control-queue bits alone: DPDK virtio-user with two pairs has MQ and CTRL_RX without CTRL_VQ', () => {
    expect(maskDependents(0x950448000n)).toBe(0x950448000n);
  });
});

describe('protocol feature conflicts', () => {
  it('in-band notifications need the back-end channel and reply-ack', () => {
    const { INBAND_NOTIFICATIONS, BACKEND_REQ, REPLY_ACK } = ProtocolFeature;
    expect(protocolFeatureConflict(INBAND_NOTIFICATIONS)).toContain('REPLY_ACK and BACKEND_REQ');
    expect(protocolFeatureConflict(INBAND_NOTIFICATIONS | REPLY_ACK)).toContain('BACKEND_REQ');
    expect(protocolFeatureConflict(INBAND_NOTIFICATIONS | REPLY_ACK | BACKEND_REQ)).toBeUndefined();
    expect(protocolFeatureConflict(0x18cbfn)).toBeUndefined();
  });
});
