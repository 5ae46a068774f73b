/** Which features a port's offloads ask for, and which of them are acked. */
import { rxOffloadMask, txOffloadMask } from '@pollwire/ethdev';
import { Feature } from '@pollwire/vhost-user';
import { describe, expect, it } from 'vitest';
import { ackedFeatures, missingRxOffloads, OFFLOAD_FEATURES, offloadFeatures } from './features.js';

const F = Feature;
const GUEST = F.VIRTIO_NET_F_GUEST_CSUM | F.VIRTIO_NET_F_GUEST_TSO4 | F.VIRTIO_NET_F_GUEST_TSO6;
const HOST = F.VIRTIO_NET_F_CSUM | F.VIRTIO_NET_F_HOST_TSO4 | F.VIRTIO_NET_F_HOST_TSO6;
const BASE = F.VIRTIO_F_VERSION_1 | F.VIRTIO_NET_F_MRG_RXBUF | F.VHOST_USER_F_PROTOCOL_FEATURES;

describe('offloadFeatures', () => {
  it.each([
    [[], [], 0n],
    [['UDP_CKSUM'], [], F.VIRTIO_NET_F_GUEST_CSUM],
    [['TCP_CKSUM'], [], F.VIRTIO_NET_F_GUEST_CSUM],
    [['TCP_LRO'], [], GUEST],
    [['VLAN_STRIP'], ['VLAN_INSERT', 'MULTI_SEGS'], 0n],
    [[], ['UDP_CKSUM'], F.VIRTIO_NET_F_CSUM],
    [[], ['TCP_CKSUM'], F.VIRTIO_NET_F_CSUM],
    [[], ['TCP_TSO'], HOST],
    [['TCP_CKSUM', 'TCP_LRO'], ['TCP_CKSUM', 'TCP_TSO'], GUEST | HOST],
  ] as const)('%j and %j', (rx, tx, features) => {
    expect(offloadFeatures(rxOffloadMask(rx), txOffloadMask(tx))).toBe(features);
  });
});

describe('ackedFeatures', () => {
  it('takes what was asked for and offered', () => {
    expect(ackedFeatures(BASE | GUEST | HOST, 0n)).toBe(BASE);
    expect(ackedFeatures(BASE | GUEST | HOST, GUEST)).toBe(BASE | GUEST);
    expect(ackedFeatures(BASE, GUEST | HOST)).toBe(BASE);
    expect(ackedFeatures(BASE | GUEST | HOST, OFFLOAD_FEATURES)).toBe(BASE | GUEST | HOST);
  });

  it('leaves out what an offer without its base would need', () => {
    const offered = BASE | F.VIRTIO_NET_F_GUEST_TSO4 | F.VIRTIO_NET_F_HOST_TSO6;
    expect(ackedFeatures(offered, OFFLOAD_FEATURES)).toBe(BASE);
  });

  it('asks for no large packets without mergeable buffers', () => {
    const offered = F.VIRTIO_F_VERSION_1 | GUEST | HOST;
    expect(ackedFeatures(offered, OFFLOAD_FEATURES)).toBe(
      F.VIRTIO_F_VERSION_1 | F.VIRTIO_NET_F_GUEST_CSUM | HOST,
    );
  });
});

it('says what the receive side does not get', () => {
  expect(missingRxOffloads(BASE, HOST)).toBeUndefined();
  expect(missingRxOffloads(BASE | GUEST, GUEST)).toBeUndefined();
  expect(missingRxOffloads(BASE, GUEST)).toMatch(/checksums/);
  expect(missingRxOffloads(BASE | F.VIRTIO_NET_F_GUEST_CSUM, GUEST)).toMatch(/large packets/);
});
