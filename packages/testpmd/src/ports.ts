/**
 * Port life cycle as testpmd's user sees it: set-up, start, stop, close, reset, attach, detach, with DPDK's lines. Called by the start-up and
 * by commands; knows ethdev, never a driver.
 */
import type { Eal, Mempool, Port } from '@pollwire/ethdev';
import { formatMac } from '@pollwire/ethdev';
import { errnoOf, isUnsupported, messageOf } from './errors.js';
import { checkLinks } from './links.js';
import type { Clock, Output } from './output.js';
import type { Settings } from './settings.js';
import { forgetOffloads, rxOffloadsOf, txOffloadsOf } from './settings.js';

export interface PortControlDeps {
  eal: Eal;
  settings: Settings;
  out: Output;
  clock: Clock;
  pool: () => Mempool;
  /** A running lcore moves packets of this port. */
  isForwarding: (port: number) => boolean;
  /** The program is about to end. */
  signal: AbortSignal;
}

/** Ethernet header and CRC: what --max-pkt-len counts and an MTU does not. */
const FRAME_OVERHEAD = 18;

export class PortControl {
  private readonly deps: PortControlDeps;
  /** Ports whose settings changed since they were configured. */
  private readonly outdated = new Set<number>();
  /** Ports that were made promiscuous when they came; what the user sets afterwards stays. */
  private readonly opened = new Set<number>();

  constructor(deps: PortControlDeps) {
    this.deps = deps;
  }

  /** Ids in order. */
  ids(): number[] {
    return [...this.deps.eal.ports.keys()].sort((a, b) => a - b);
  }

  get(id: number): Port | undefined {
    return this.deps.eal.ports.get(id);
  }

  /** The ports a command means; prints DPDK's refusal and returns none when there is no such port. */
  select(which: number | 'all'): Port[] {
    if (which === 'all') return this.ids().map((id) => this.get(id) as Port);
    const port = this.get(which);
    if (port === undefined) this.deps.out.error(`Invalid port ${which}`);
    return port === undefined ? [] : [port];
  }

  /** Queue numbers, descriptors, MTU or offloads changed, of one port or of all: the next start configures again. */
  settingsChanged(port?: number): void {
    for (const id of port === undefined ? this.ids() : [port]) this.outdated.add(id);
  }

  allStarted(ids: readonly number[]): boolean {
    return ids.every((id) => this.get(id)?.state === 'started');
  }

  /** @returns false when a port could not be configured or started. */
  async start(which: number | 'all'): Promise<boolean> {
    const { out } = this.deps;
    const ports = this.select(which);
    if (ports.length === 0 && which !== 'all') return false;
    let started = 0;
    let failed = false;
    for (const port of ports) {
      if (port.state === 'started') {
        out.error(`Port ${port.id} is now not stopped`);
        continue;
      }
      if (await this.startOne(port)) started++;
      else failed = true;
    }
    if (started > 0) await this.checkLinks();
    else if (!failed && ports.length > 0) out.write('Please stop the ports first\n');
    out.write('Done\n');
    return !failed;
  }

  private async startOne(port: Port): Promise<boolean> {
    const { out } = this.deps;
    try {
      if (port.state === 'attached' || this.outdated.has(port.id)) this.setUp(port);
      await port.start();
    } catch (error) {
      out.error(`Fail to start port ${port.id}: ${messageOf(error)}`);
      return false;
    }
    out.write(`Port ${port.id}: ${formatMac(port.mac)}\n`);
    return true;
  }

  private setUp(port: Port): void {
    const { settings, out, pool } = this.deps;
    out.write(`Configuring Port ${port.id} (socket 0)\n`);
    const mtu = settings.maxPktLen === undefined ? undefined : settings.maxPktLen - FRAME_OVERHEAD;
    port.configure({
      rxQueues: settings.rxq,
      txQueues: settings.txq,
      mtu,
      rxOffloads: rxOffloadsOf(settings, port.id),
      txOffloads: txOffloadsOf(settings, port.id),
      lsc: settings.linkInterrupt ? undefined : false,
    });
    for (let q = 0; q < settings.rxq; q++) port.setupRxQueue(q, { descriptors: settings.rxd, pool: pool() });
    for (let q = 0; q < settings.txq; q++) port.setupTxQueue(q, { descriptors: settings.txd });
    if (!this.opened.has(port.id)) setPromiscuous(port);
    this.opened.add(port.id);
    this.outdated.delete(port.id);
  }

  async stop(which: number | 'all'): Promise<void> {
    const { out, isForwarding } = this.deps;
    out.write('Stopping ports...\n');
    let stopped = 0;
    for (const port of this.select(which)) {
      if (isForwarding(port.id)) {
        out.error(`Please remove port ${port.id} from forwarding configuration.`);
        continue;
      }
      if (port.state !== 'started') continue;
      await this.attempt(`Fail to stop port ${port.id}`, () => port.stop());
      stopped++;
    }
    if (stopped > 0) await this.checkLinks();
    out.write('Done\n');
  }

  async close(which: number | 'all'): Promise<void> {
    const { out, isForwarding } = this.deps;
    const ports = this.select(which);
    if (ports.length === 0 && which !== 'all') return;
    out.write('Closing ports...\n');
    for (const port of ports) {
      if (isForwarding(port.id)) out.error(`Please remove port ${port.id} from forwarding configuration.`);
      else if (port.state === 'started') out.error(`Cannot close started device (port ${port.id})`);
      else await this.closeOne(port);
    }
    out.write('Done\n');
  }

  private async closeOne(port: Port): Promise<void> {
    await this.attempt(`Fail to close port ${port.id}`, () => port.close());
    this.leave(port.id);
    this.deps.out.write(`Port ${port.id} is closed\n`);
  }

  async reset(which: number | 'all'): Promise<void> {
    const { out, isForwarding } = this.deps;
    const ports = this.select(which);
    if (ports.length === 0 && which !== 'all') return;
    if (ports.some((port) => port.state === 'started')) {
      out.error('Can not reset port(s), please stop port(s) first.');
      return;
    }
    out.write('Resetting ports...\n');
    for (const port of ports) {
      if (isForwarding(port.id)) {
        out.error(`Please remove port ${port.id} from forwarding configuration.`);
        continue;
      }
      try {
        await port.reset();
        this.outdated.add(port.id);
      } catch (error) {
        out.error(`Failed to reset port ${port.id}. diag=${errnoOf(error)}`);
      }
    }
    out.write('Done\n');
  }

  async attach(devargs: string): Promise<void> {
    const { eal, out } = this.deps;
    out.write('Attaching a new port...\n');
    try {
      const port = await eal.attach(devargs);
      setPromiscuous(port);
      this.join(port.id);
      out.write(`Port ${port.id} is attached. Now total ports is ${eal.ports.size}\nDone\n`);
    } catch (error) {
      out.error(messageOf(error));
      out.error(`testpmd: Failed to attach port ${devargs}`);
    }
  }

  /** As in DPDK a new port forwards from the next start on, also when ports were chosen by hand. */
  private join(id: number): void {
    const { settings } = this.deps;
    settings.portList?.push(id);
    if (settings.nbPorts !== undefined) settings.nbPorts++;
  }

  /** The id may come back with another device. */
  private leave(id: number): void {
    const { settings, eal } = this.deps;
    forgetOffloads(settings, id);
    this.opened.delete(id);
    this.outdated.delete(id);
    if (settings.portList !== undefined) settings.portList = settings.portList.filter((one) => one !== id);
    if (settings.nbPorts !== undefined) settings.nbPorts = Math.min(settings.nbPorts, eal.ports.size);
  }

  async detach(id: number): Promise<void> {
    const { out } = this.deps;
    const port = this.get(id);
    if (port === undefined) {
      out.error(`Invalid port_id=${id}`);
      return;
    }
    if (port.state === 'started') {
      out.error('Port not stopped');
      return;
    }
    out.error('Port was not closed');
    await this.remove(port, 'Device is detached');
  }

  /** `device detach NAME`. */
  async detachDevice(name: string): Promise<void> {
    const { out } = this.deps;
    out.write('Removing a device...\n');
    const port = this.ids()
      .map((id) => this.get(id) as Port)
      .find((one) => one.name === name);
    if (port === undefined)
      out.error(`testpmd: Failed to detach device ${name}(vdev): there is no such device`);
    else if (port.state === 'started') out.error(`Port ${port.id} not stopped`);
    else await this.remove(port, `Device ${name} is detached`, false);
  }

  /** The device is gone: take the port out whatever its state. */
  async removeGone(port: Port): Promise<void> {
    if (this.get(port.id) !== port) return;
    if (port.state === 'started') await this.attempt(`Fail to stop port ${port.id}`, () => port.stop());
    await this.remove(port, 'Device is detached');
  }

  private async remove(port: Port, done: string, announce = true): Promise<void> {
    const { eal, out } = this.deps;
    if (announce) out.write('Removing a device...\n');
    await this.attempt(`testpmd: Failed to detach device ${port.name}`, () => eal.detach(port));
    this.leave(port.id);
    out.write(`Port ${port.id} is closed\n${done}\nNow total ports is ${eal.ports.size}\nDone\n`);
  }

  /** The end of the program: each port stopped, then each closed. */
  async shutDown(): Promise<void> {
    const { out } = this.deps;
    for (const id of this.ids()) {
      out.write(`\nStopping port ${id}...\nStopping ports...\n`);
      const port = this.get(id);
      if (port?.state === 'started') await this.attempt(`Fail to stop port ${id}`, () => port.stop());
      out.write('Done\n');
    }
    for (const id of this.ids()) {
      out.write(`\nShutting down port ${id}...\nClosing ports...\n`);
      const port = this.get(id);
      if (port !== undefined) await this.closeOne(port);
      out.write('Done\n');
    }
  }

  private async checkLinks(): Promise<void> {
    const { settings, out, clock, signal } = this.deps;
    if (!settings.checkLinks) return;
    const ports = this.ids().map((id) => this.get(id) as Port);
    await checkLinks(ports, settings.linkInterrupt, { out, clock, signal });
  }

  private async attempt(what: string, action: () => Promise<void> | void): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.deps.out.error(`${what}: ${messageOf(error)}`);
    }
  }
}

/** All ports receive everything, as in DPDK's testpmd; a driver without the mode receives what it receives. */
function setPromiscuous(port: Port): void {
  if (port.promiscuous) return;
  try {
    port.setPromiscuous(true);
  } catch (error) {
    if (!isUnsupported(error)) throw error;
  }
}
