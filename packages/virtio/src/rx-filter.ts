/**
 * What a virtio-user port lets in: receive modes, addresses, VLANs. No vhost-user back-end has a control queue to send them to, so
 * that the port filters by itself: every change is a new filter for its rx queues, from their next burst on. One per port.
 */
import { native } from '@pollwire/native';

/** Unicast addresses of a port, its own included. DPDK's number. */
export const MAX_MACS = 64;
/** Group addresses of a port. The native filter holds both kinds together. */
export const MAX_MULTICAST_MACS = 64;

const VLANS = 4096;

export class RxFilter {
  #promiscuous = false;
  #allMulticast = false;
  #filterVlans = false;
  #own: Uint8Array;
  #further: Uint8Array[] = [];
  #groups: readonly Uint8Array[] = [];
  readonly #vlans = new Uint8Array(VLANS / 8);
  readonly #device: number;

  /** @param device number of the native device, which lets everything in until then */
  constructor(device: number, mac: Uint8Array) {
    this.#device = device;
    this.#own = mac;
    this.#apply();
  }

  setPromiscuous(on: boolean): void {
    this.#promiscuous = on;
    this.#apply();
  }

  setAllMulticast(on: boolean): void {
    this.#allMulticast = on;
    this.#apply();
  }

  setMac(mac: Uint8Array): void {
    this.#own = mac;
    this.#apply();
  }

  addMac(mac: Uint8Array): void {
    this.#further = [...this.#without(mac), mac];
    this.#apply();
  }

  removeMac(mac: Uint8Array): void {
    this.#further = this.#without(mac);
    this.#apply();
  }

  setMulticastList(macs: readonly Uint8Array[]): void {
    this.#groups = macs;
    this.#apply();
  }

  /** Whether the table of VLANs counts. It is kept while it does not. */
  setVlanFilter(on: boolean): void {
    if (this.#filterVlans === on) return;
    this.#filterVlans = on;
    this.#apply();
  }

  setVlan(id: number, on: boolean): void {
    const bit = 1 << (id & 7);
    const before = this.#vlans[id >> 3] as number;
    this.#vlans[id >> 3] = on ? before | bit : before & ~bit;
    this.#apply();
  }

  /** What is looked at, for people: `off` when everything is let in. */
  describe(): string {
    const parts: string[] = [];
    if (!this.#promiscuous) parts.push('unicast');
    if (!this.#promiscuous && !this.#allMulticast) parts.push('multicast');
    if (this.#filterVlans) parts.push('vlan');
    return parts.length === 0 ? 'off' : `${parts.join(', ')} (in software)`;
  }

  #without(mac: Uint8Array): Uint8Array[] {
    return this.#further.filter((one) => !one.every((byte, i) => byte === mac[i]));
  }

  #apply(): void {
    const modes = {
      promiscuous: this.#promiscuous,
      allMulticast: this.#allMulticast,
      filterVlans: this.#filterVlans,
    };
    const addresses = [this.#own, ...this.#further, ...this.#groups].flatMap((mac) => [...mac]);
    native.virtioRxFilter(this.#device, modes, Uint8Array.from(addresses), this.#vlans);
  }
}
