/**
 * What an application can set on a port beside its configuration: MTU, address list, promiscuous and all-multicast mode. Kept here so
 * that they survive a restart of the device. One per Port, which checks its state before it calls.
 */
import { PollwireError } from '@pollwire/native';
import type { Device } from './driver.js';
import { randomMac, toMac } from './mac.js';
import type { PortInfo } from './port-info.js';

const DEFAULT_MTU = 1500;

export class PortSettings {
  mtu = DEFAULT_MTU;
  promiscuous: boolean;
  allMulticast: boolean;
  /** The default address first. */
  readonly macs: Uint8Array[];

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
    this.method('setMac').call(this.device, bytes);
    this.macs[0] = bytes;
  }

  addMac(mac: ArrayLike<number> | string): void {
    const bytes = unicast(mac);
    const add = this.method('addMac');
    if (this.macs.length >= this.info.maxMacs) {
      const most = `Port ${this.port} holds ${this.info.maxMacs} MAC addresses; remove one first.`;
      throw new PollwireError('MAC_LIMIT', most, { errno: -28 });
    }
    add.call(this.device, bytes);
    this.macs.push(bytes);
  }

  /** The default address stays. */
  removeMac(mac: ArrayLike<number> | string): void {
    const bytes = toMac(mac);
    const at = this.macs.findIndex((one, index) => index > 0 && one.every((byte, i) => byte === bytes[i]));
    this.method('removeMac').call(this.device, bytes);
    if (at > 0) this.macs.splice(at, 1);
  }

  /** After a start of the device: what was set before. */
  restore(): void {
    this.device.setMac?.(Uint8Array.from(this.macs[0] as Uint8Array));
    if (this.info.alwaysPromiscuous) return;
    if (this.promiscuous) this.device.setPromiscuous?.(true);
    if (this.allMulticast) this.device.setAllMulticast?.(true);
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
