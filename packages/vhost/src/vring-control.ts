/**
 * One vring of a device for programs: where it lies, where it stands, its notifications and statistics. What DPDK's vhost library has as
 * rte_vhost_get_vhost_vring, _get/_set_vring_base, _enable_guest_notification, _avail_entries, _rx_queue_count, _vring_call and
 * _vring_stats_*. Made by VhostDevice.vring; valid while the connection lives.
 */
import { native, PollwireError } from '@pollwire/native';
import type { BackendSession } from '@pollwire/vhost-user';
import type { Vring } from './vring.js';
import { ringStats } from './vring-stats.js';

/** What a front-end has said of a ring. Addresses are its user addresses. */
export interface VringInfo {
  /** Entries; 0: not said yet. */
  readonly size: number;
  readonly desc: bigint | undefined;
  /** Available ring, or the driver's event structure of a packed ring. */
  readonly avail: bigint | undefined;
  readonly used: bigint | undefined;
  readonly kick: 'unset' | 'eventfd' | 'poll';
  readonly call: 'unset' | 'eventfd' | 'poll';
  readonly enabled: boolean;
  readonly started: boolean;
  readonly ready: boolean;
  /** Why the data path gave it up; '' while it is in order. */
  readonly broken: string;
}

/** What VringControl needs of its device. */
export interface VringOwner {
  readonly id: number;
  readonly session: BackendSession | undefined;
  readonly netStats: boolean;
}

export class VringControl {
  readonly index: number;
  readonly #device: VringOwner;
  readonly #ring: Vring;

  constructor(device: VringOwner, ring: Vring) {
    this.#device = device;
    this.#ring = ring;
    this.index = ring.index;
  }

  get info(): VringInfo {
    const { size, addr, enabled, started, ready } = this.#ring;
    const said = this.#device.session?.rings[this.index];
    return {
      size,
      desc: addr?.desc,
      avail: addr?.avail,
      used: addr?.used,
      kick: said?.kick ?? 'unset',
      call: said?.call ?? 'unset',
      enabled,
      started,
      ready,
      broken: native.vhostRingState(this.#device.id, this.index).broken,
    };
  }

  /**
   * Where the ring goes on, in the form of SET_VRING_BASE (see `unpackVringBase` for a packed one).
   */
  get base(): number {
    const { started, base } = this.#ring;
    return started ? native.vhostRingState(this.#device.id, this.index).lastAvail : base;
  }

  /** @throws PollwireError `VHOST_RING_RUNS` while the ring is started */
  set base(base: number) {
    if (this.#ring.started) {
      const text = `ring ${this.index} runs; its base can be set before it starts or after it stopped.`;
      throw new PollwireError('VHOST_RING_RUNS', text);
    }
    this.#ring.base = base;
  }

  /** Asks the driver to kick when it makes something available, or not to (the default while the ring is polled). */
  enableNotification(wanted: boolean): void {
    native.vhostRingNotify(this.#device.id, this.index, wanted);
  }

  /** Calls the driver now, whatever it wants; false when there is nothing to call it by. */
  call(): boolean {
    return native.vhostRingSignal(this.#device.id, this.index);
  }

  /** Chains that the driver made available and that were not taken yet: on a ring that it sends on, packets that wait. */
  get availEntries(): number {
    return native.vhostRingInspect(this.#device.id, this.index).waiting;
  }

  /** How often the driver was signalled because it had asked for it. 0 for a ring that serves neither bursts nor requests. */
  get notifications(): bigint {
    if (this.#ring.slot >= 0) {
      return ringStats(this.#ring).get('guest_notifications') ?? 0n;
    }
    return this.#ring.serves ? native.vhostChainStats(this.#device.id, this.index).notifications : 0n;
  }

  /**
   * Statistics by DPDK's names (`good_packets`, `size_64_packets`, `guest_notifications`, …). Zeros for a ring that no burst uses yet.
   * @throws PollwireError `VHOST_STATS_OFF` when the socket was registered with `netStats: false`
   */
  stats(): ReadonlyMap<string, bigint> {
    this.#statsOn();
    return ringStats(this.#ring);
  }

  resetStats(): void {
    this.#statsOn();
    if (this.#ring.slot >= 0) native.slotResetCounters(this.#ring.slot);
  }

  #statsOn(): void {
    if (this.#device.netStats) return;
    const text = `ring ${this.index}: statistics are off; register the socket with netStats: true.`;
    throw new PollwireError('VHOST_STATS_OFF', text);
  }
}
