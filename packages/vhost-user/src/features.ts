/**
 * Virtio feature bits (virtio 1.2 §6 and §5.1.3) and the two that vhost-user adds, as masks by their spec names.
 * Used on both sides of the wire; protocol feature bits are in protocol-features.ts.
 */

const bit = (n: number): bigint => 1n << BigInt(n);

/** Feature bits of every device type: rings, transport, vhost. */
export const RingFeature = {
  VIRTIO_F_NOTIFY_ON_EMPTY: bit(24),
  VHOST_F_LOG_ALL: bit(26),
  VIRTIO_F_ANY_LAYOUT: bit(27),
  VIRTIO_F_INDIRECT_DESC: bit(28),
  VIRTIO_F_EVENT_IDX: bit(29),
  VHOST_USER_F_PROTOCOL_FEATURES: bit(30),
  VIRTIO_F_VERSION_1: bit(32),
  VIRTIO_F_ACCESS_PLATFORM: bit(33),
  VIRTIO_F_RING_PACKED: bit(34),
  VIRTIO_F_IN_ORDER: bit(35),
  VIRTIO_F_ORDER_PLATFORM: bit(36),
  VIRTIO_F_SR_IOV: bit(37),
  VIRTIO_F_NOTIFICATION_DATA: bit(38),
  VIRTIO_F_NOTIF_CONFIG_DATA: bit(39),
  VIRTIO_F_RING_RESET: bit(40),
} as const;

/** Feature bits of a network device. */
export const NetFeature = {
  VIRTIO_NET_F_CSUM: bit(0),
  VIRTIO_NET_F_GUEST_CSUM: bit(1),
  VIRTIO_NET_F_CTRL_GUEST_OFFLOADS: bit(2),
  VIRTIO_NET_F_MTU: bit(3),
  VIRTIO_NET_F_MAC: bit(5),
  VIRTIO_NET_F_GSO: bit(6),
  VIRTIO_NET_F_GUEST_TSO4: bit(7),
  VIRTIO_NET_F_GUEST_TSO6: bit(8),
  VIRTIO_NET_F_GUEST_ECN: bit(9),
  VIRTIO_NET_F_GUEST_UFO: bit(10),
  VIRTIO_NET_F_HOST_TSO4: bit(11),
  VIRTIO_NET_F_HOST_TSO6: bit(12),
  VIRTIO_NET_F_HOST_ECN: bit(13),
  VIRTIO_NET_F_HOST_UFO: bit(14),
  VIRTIO_NET_F_MRG_RXBUF: bit(15),
  VIRTIO_NET_F_STATUS: bit(16),
  VIRTIO_NET_F_CTRL_VQ: bit(17),
  VIRTIO_NET_F_CTRL_RX: bit(18),
  VIRTIO_NET_F_CTRL_VLAN: bit(19),
  VIRTIO_NET_F_CTRL_RX_EXTRA: bit(20),
  VIRTIO_NET_F_GUEST_ANNOUNCE: bit(21),
  VIRTIO_NET_F_MQ: bit(22),
  VIRTIO_NET_F_CTRL_MAC_ADDR: bit(23),
  VIRTIO_NET_F_DEVICE_STATS: bit(50),
  VIRTIO_NET_F_HASH_TUNNEL: bit(51),
  VIRTIO_NET_F_VQ_NOTF_COAL: bit(52),
  VIRTIO_NET_F_NOTF_COAL: bit(53),
  VIRTIO_NET_F_GUEST_USO4: bit(54),
  VIRTIO_NET_F_GUEST_USO6: bit(55),
  VIRTIO_NET_F_HOST_USO: bit(56),
  VIRTIO_NET_F_HASH_REPORT: bit(57),
  VIRTIO_NET_F_GUEST_HDRLEN: bit(59),
  VIRTIO_NET_F_RSS: bit(60),
  VIRTIO_NET_F_RSC_EXT: bit(61),
  VIRTIO_NET_F_STANDBY: bit(62),
  VIRTIO_NET_F_SPEED_DUPLEX: bit(63),
} as const;

/** All feature bits of a network device, as masks by name. */
export const Feature = { ...NetFeature, ...RingFeature } as const;
export type FeatureName = keyof typeof Feature;

/** Device status bits (virtio 1.2 §2.1). */
export const DeviceStatus = {
  ACKNOWLEDGE: 1,
  DRIVER: 2,
  DRIVER_OK: 4,
  FEATURES_OK: 8,
  DEVICE_NEEDS_RESET: 64,
  FAILED: 128,
} as const;

/** The mask's name for every bit of a word, lowest first; unnamed bits come as `bit 42`. */
export function bitNames(word: bigint, table: Readonly<Record<string, bigint>>): string[] {
  const byMask = new Map(Object.entries(table).map(([name, mask]) => [mask, name]));
  const names: string[] = [];
  for (let n = 0; n < 64; n += 1) {
    const mask = bit(n);
    if ((word & mask) !== 0n) {
      names.push(byMask.get(mask) ?? `bit ${n}`);
    }
  }
  return names;
}

/**
 * Names of the features in a word, lowest bit first.
 * @param table names to use; pass {@link RingFeature} for a device that is not a network device
 */
export function featureNames(word: bigint, table: Readonly<Record<string, bigint>> = Feature): string[] {
  return bitNames(word, table);
}

/** Names of the bits in a device status byte. */
export function statusNames(status: number): string[] {
  const table = Object.fromEntries(
    Object.entries(DeviceStatus).map(([name, value]) => [name, BigInt(value)]),
  );
  return bitNames(BigInt(status), table);
}

/** Whether every bit of `mask` is in `word`. */
export function hasAll(word: bigint, mask: bigint): boolean {
  return (word & mask) === mask;
}
