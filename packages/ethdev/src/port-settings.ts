/**
 * What an application can set on a port beside its configuration: MTU, address lists, promiscuous and all-multicast mode. Kept here so
 * that they survive a restart of the device. One per Port, which checks its state before it calls.
 */
import { PollwireError } from '@pollwire/native';
import type { Device } from './driver.js';
import { formatMac, randomMac, toMac } from './mac.js';
import type { PortInfo } from './port-info.js';

const DEFAULT_MTU = 1500;

export class PortSettings {
  mtu = DEFAULT_MTU;
  promiscuous: boolean;
  allMulticast: boolean;
  /** The default address first. */
  readonly macs: Uint8Array[];
  multicastMacs: readonly Uint8Array[] = [];

  constructor(
    private readonly port: number,
    private readonly device: Device,
    private readonly info: PortInfo,
  ) {
    this.promiscuous = info.alwaysPromiscuous;
    this.allMulticast = info.alwaysPromiscuous;
    this.macs = [device.mac === undefined ? randomMac() : toMac(device.mac)];
  }

  setMtu(mtu: number): void {
    this.method('setMtu').call(this.device, mtu);
    this.mtu = mtu;
  }

  setPromiscuous(on: boolean): void {
    // A port that receives everything can be told so; it cannot be told otherwise.
    if (!this.info.alwaysPromiscuous || !on) this.method('setPromiscuous').call(this.device, on);
    this.promiscuous = on;
  }

  setAllMulticast(on: boolean): void {
    if (!this.info.alwaysPromiscuous || !on) this.method('setAllMulticast').call(this.device, on);
    this.allMulticast = on;
  }

  setMac(mac: ArrayLike<number> | string): void {
    const bytes = unicast(mac);
    const set = this.method('setMac');
    if (this.find(bytes) > 0) {
      const text = `Port ${this.port} has ${formatMac(bytes)} as a further address; remove it there first.`;
      throw new PollwireError('MAC_EXISTS', text);
    }
    set.call(this.device, bytes);
    this.macs[0] = bytes;
  }

  /** Once is enough: an address that the port has stays as it is. */
  addMac(mac: ArrayLike<number> | string): void {
    const bytes = unicast(mac);
    const add = this.method('addMac');
    if (this.find(bytes) >= 0) return;
    if (this.macs.length >= this.info.maxMacs) {
      const most = `Port ${this.port} holds ${this.info.maxMacs} MAC addresses; remove one first.`;
      throw new PollwireError('MAC_LIMIT', most);
    }
    add.call(this.device, bytes);
    this.macs.push(bytes);
  }

  /** The default address stays; an address that the port does not have is no error. */
  removeMac(mac: ArrayLike<number> | string): void {
    const bytes = toMac(mac);
    const remove = this.method('removeMac');
    const at = this.find(bytes);
    if (at === 0) {
      const text = `Port ${this.port} cannot be without its default address ${formatMac(bytes)}; set another one instead.`;
      throw new PollwireError('MAC_IN_USE', text);
    }
    if (at < 0) return;
    remove.call(this.device, bytes);
    this.macs.splice(at, 1);
  }

  setMulticastList(macs: readonly (ArrayLike<number> | string)[]): void {
    const set = this.method('setMulticastList');
    const list = macs.map(group);
    if (list.length > this.info.maxMulticastMacs) {
      const { maxMulticastMacs } = this.info;
      const most = `Port ${this.port} holds ${maxMulticastMacs} multicast addresses, not ${list.length}; all-multicast mode receives any.`;
      throw new PollwireError('MAC_LIMIT', most);
    }
    set.call(this.device, list);
    this.multicastMacs = list;
  }

  /** After a start of the device: what was set before. */
  restore(): void {
    const { device } = this;
    const [first, ...further] = this.macs.map((mac) => Uint8Array.from(mac));
    device.setMac?.(first as Uint8Array);
    for (const mac of further) device.addMac?.(mac);
    if (this.multicastMacs.length > 0) device.setMulticastList?.(this.multicastMacs);
    if (this.info.alwaysPromiscuous) return;
    if (this.promiscuous) device.setPromiscuous?.(true);
    if (this.allMulticast) device.setAllMulticast?.(true);
  }

  private find(mac: Uint8Array): number {
    return this.macs.findIndex((one) => one.every((byte, i) => byte === mac[i]));
  }

  /** A method of the device; throws PORT_ENOTSUP when it has none. */
  method<M extends keyof Device>(method: M): NonNullable<Device[M]> {
    const found = this.device[method];
    if (found !== undefined) return found as NonNullable<Device[M]>;
    throw new PollwireError('PORT_ENOTSUP', 'Operation not supported', {
      details: { port: this.port, driver: this.info.driverName, method },
    });
  }
}

function unicast(mac: ArrayLike<number> | string): Uint8Array {
  const bytes = toMac(mac);
  if (((bytes[0] as number) & 1) === 0 && bytes.some((byte) => byte !== 0)) return bytes;
  throw new PollwireError('BAD_MAC', 'A port needs a unicast address that is not all zero.');
}

function group(mac: ArrayLike<number> | string): Uint8Array {
  const bytes = toMac(mac);
  if (((bytes[0] as number) & 1) === 1) return bytes;
  const text = `${formatMac(bytes)} is no multicast address: the first byte of one is odd.`;
  throw new PollwireError('BAD_MAC', text);
}
