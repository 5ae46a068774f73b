/**
 * The drivers a program knows, found by device name. Called by Eal.
 *
 * A driver matches when its name or an alias is a prefix of the device name ('net_vhost0', 'net_vhost_foo'). Of several the longest wins, so that
 * 'net_virtio_user0' never reaches a driver called 'net_virtio'. (DPDK takes the first match in registration order.)
 */
import { PollwireError } from '@pollwire/native';
import type { Driver } from './driver.js';
import { didYouMean, endSentence, sentenceList } from './suggest.js';

const NAME = /^[a-z][a-z0-9_]*$/;

export class DriverRegistry {
  private readonly byName = new Map<string, Driver>();

  /** Adds a driver under its name and aliases. The same object twice is harmless. Throws DRIVER_INVALID, DRIVER_EXISTS. */
  add(driver: Driver): void {
    checkDriver(driver);
    const names = [driver.name, ...driver.aliases];
    for (const name of names) {
      const other = this.byName.get(name);
      if (other !== undefined && other !== driver) {
        throw new PollwireError(
          'DRIVER_EXISTS',
          `A driver named '${name}' is registered already (${other.summary}).`,
        );
      }
    }
    for (const name of names) this.byName.set(name, driver);
  }

  /** Every driver once, in the order they were added. */
  list(): Driver[] {
    return [...new Set(this.byName.values())];
  }

  /** Driver whose name or alias is the longest prefix of `device`. Throws DRIVER_UNKNOWN with what is known. */
  find(device: string): Driver {
    let best = '';
    for (const name of this.byName.keys()) {
      if (name.length > best.length && device.startsWith(name)) best = name;
    }
    const driver = this.byName.get(best);
    if (driver !== undefined) return driver;
    const names = [...this.byName.keys()];
    const known = sentenceList(this.list().map((one) => one.name));
    const hint = didYouMean(device.replace(/\d+$/, ''), names) || `; known drivers: ${known}`;
    throw new PollwireError('DRIVER_UNKNOWN', endSentence(`No driver for device '${device}'${hint}`), {
      details: { device },
    });
  }
}

/** Throws DRIVER_INVALID unless `value` has the shape of a driver; for modules loaded by name. */
export function checkDriver(value: unknown): asserts value is Driver {
  const driver = value as Partial<Driver> | undefined | null;
  const refuse = (why: string): never => {
    throw new PollwireError('DRIVER_INVALID', `Not a driver: ${why}. Export what defineDriver({…}) returns.`);
  };
  if (typeof driver !== 'object' || driver === null)
    refuse(`it is ${driver === null ? 'null' : typeof driver}`);
  else {
    if (typeof driver.name !== 'string' || !NAME.test(driver.name))
      refuse(`its name is ${JSON.stringify(driver.name)}`);
    if (!Array.isArray(driver.aliases) || !driver.aliases.every((alias) => NAME.test(alias)))
      refuse('its aliases are not names');
    if (typeof driver.probe !== 'function') refuse(`'${driver.name}' has no probe function`);
    if (typeof driver.limits !== 'object') refuse(`'${driver.name}' has no limits`);
    if (typeof driver.args !== 'object') refuse(`'${driver.name}' has no args`);
  }
}
