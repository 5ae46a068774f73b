/** The ports of one Eal: ids, attach (devargs → driver → probe → Port) and detach. */
import { L, native, PollwireError, SlotClosed, toPollwireError } from '@pollwire/native';
import { parseArgs } from './args-schema.js';
import type { Devargs, DevargsObject } from './devargs.js';
import { devargsOf, parseDevargs } from './devargs.js';
import type { Driver, ProbeContext } from './driver.js';
import type { Eal } from './eal.js';
import type { LinkStatus } from './link.js';
import type { PortHost } from './port.js';
import { Port } from './port.js';
import { sentenceList } from './suggest.js';

export class PortTable {
  readonly ports = new Map<number, Port>();
  private readonly host: PortHost;
  /** Ids and names of devices whose probe is under way. */
  private readonly probing = new Map<number, string>();

  constructor(
    private readonly eal: Eal,
    host: Omit<PortHost, 'portClosed'>,
  ) {
    this.host = { ...host, portClosed: (port) => this.ports.delete(port.id) };
  }

  async attach(device: string | DevargsObject): Promise<Port> {
    const devargs = typeof device === 'string' ? parseDevargs(device) : devargsOf(device);
    const driver = this.eal.drivers.find(devargs.name);
    const args = parseArgs(driver.args, devargs);
    const id = this.reserve(devargs.name);
    const context = new DeviceReports(this.eal, driver, devargs, id, args);
    try {
      const port = await this.create(id, devargs, driver, context);
      this.host.portEvent('new', port);
      return port;
    } catch (thrown) {
      throw named(devargs, thrown);
    } finally {
      this.probing.delete(id);
    }
  }

  async detach(which: Port | number | string): Promise<void> {
    const port = typeof which === 'object' ? which : this.find(which);
    if (port === undefined) {
      const known = sentenceList([...this.ports.keys()]);
      throw new PollwireError('PORT_UNKNOWN', `There is no port '${String(which)}'; existing: ${known}.`);
    }
    if (port.state === 'started') await port.stop();
    if (port.state !== 'closed') await port.close();
  }

  find(idOrName: number | string): Port | undefined {
    if (typeof idOrName === 'number') return this.ports.get(idOrName);
    return [...this.ports.values()].find((port) => port.name === idOrName);
  }

  private async create(id: number, devargs: Devargs, driver: Driver, context: DeviceReports): Promise<Port> {
    const { name, text } = devargs;
    const device = await driver.probe(context as unknown as ProbeContext<never>);
    let port: Port;
    try {
      port = new Port({ id, name, devargs: text, driver, device }, this.host);
    } catch (error) {
      await device.close();
      throw error;
    }
    this.ports.set(id, port);
    context.ready(port);
    return port;
  }

  /** Lowest free id for a name that is not in use. */
  private reserve(name: string): number {
    const taken = this.find(name) !== undefined || [...this.probing.values()].includes(name);
    if (taken)
      throw new PollwireError(
        'PORT_EXISTS',
        `There is a device '${name}' already; choose another name or number.`,
      );
    for (let id = 0; id < L.MAX_PORTS; id++) {
      if (this.ports.has(id) || this.probing.has(id)) continue;
      this.probing.set(id, name);
      return id;
    }
    throw new PollwireError('PORT_LIMIT', `All ${L.MAX_PORTS} ports are in use; detach one first.`);
  }
}

/** The ProbeContext: what a device reports goes to its port, what it reports before the port exists is kept. */
class DeviceReports implements ProbeContext<unknown> {
  readonly name: string;
  readonly log;
  private port: Port | undefined;
  private early: ((port: Port) => void)[] = [];

  constructor(
    readonly eal: Eal,
    driver: Driver,
    devargs: Devargs,
    readonly portId: number,
    readonly args: unknown,
  ) {
    this.name = devargs.name;
    this.log = eal.logs.logger(`pmd.${driver.name.replaceAll('_', '.')}`);
  }

  ready(port: Port): void {
    this.port = port;
    for (const report of this.early.splice(0)) report(port);
  }

  // Arrow functions, so that a driver can take them out of the context.

  readonly slot = (): number => {
    const slot = native.slotAlloc();
    native.slotClose(slot, SlotClosed.PORT_STOPPED);
    return slot;
  };

  readonly link = (status: Partial<LinkStatus>): void => {
    this.report((port) => port.reportLink(status));
  };

  readonly queueState = (queueId: number, rx: boolean, enable: boolean): void => {
    this.report((port) => port.reportQueueState(queueId, rx, enable));
  };

  readonly removed = (): void => {
    this.report((port) => port.announce('intr_rmv'));
  };

  readonly error = (error: PollwireError): void => {
    this.report((port) => port.reportError(error));
  };

  private report(report: (port: Port) => void): void {
    if (this.port === undefined) this.early.push(report);
    else if (this.port.state !== 'closed') report(this.port);
  }
}

/** The driver's error with the device's name in front, unless it is there. */
function named(devargs: Devargs, thrown: unknown): PollwireError {
  const error = toPollwireError(thrown, 'PROBE_FAILED');
  if (error.message.includes(devargs.name)) return error;
  const { code, errno, syscall, details } = error;
  return new PollwireError(code, `${devargs.name}: ${error.message}`, {
    cause: thrown,
    errno,
    details,
    ...(syscall === undefined ? {} : { syscall }),
  });
}
