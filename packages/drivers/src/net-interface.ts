/**
 * The kernel's interface under a port: found by name, followed through renames, changes and removal. Called by net_tap, net_tun and
 * net_af_packet; one per port.
 */
import type { LinkFacts } from '@pollwire/native';
import { native, PollwireError, sys } from '@pollwire/native';

/** Longest name that the kernel takes: IFNAMSIZ with its terminator is 16. */
export const MAX_INTERFACE_NAME = 15;

/** Throws DEVARG_VALUE when `name` can be no interface's. `%d`, where the kernel puts a number, is fine. */
export function checkInterfaceName(device: string, name: string): void {
  const bytes = Buffer.byteLength(name);
  const refuse = (why: string): never => {
    throw new PollwireError('DEVARG_VALUE', `${device}: iface=${name} ${why}.`, { details: { iface: name } });
  };
  if (bytes === 0) refuse('is empty; give the name of an interface');
  if (bytes > MAX_INTERFACE_NAME) {
    refuse(`has ${bytes} bytes; names of interfaces have at most ${MAX_INTERFACE_NAME}, use a shorter one`);
  }
  if (/[/:\s\0]/.test(name) || name === '.' || name === '..') {
    refuse("is no name of an interface; leave out '/', ':' and white space");
  }
}

export interface InterfaceEvents {
  /** Something may have changed; `facts` are the present ones. */
  changed(facts: LinkFacts): void;
  /** The interface is not in this network namespace any more. Called once. */
  gone(): void;
}

export class NetInterface {
  readonly index: number;
  #facts: LinkFacts;
  #watch: sys.Watch | undefined;

  constructor(
    facts: LinkFacts,
    private readonly events: InterfaceEvents,
  ) {
    this.index = facts.index;
    this.#facts = facts;
    const fd = native.linkWatchOpen();
    try {
      this.#watch = sys.watch(fd, sys.Ready.READABLE, () => this.refresh()).unref();
    } catch (error) {
      native.closeFd(fd);
      throw error;
    }
  }

  /** As last seen. */
  get facts(): LinkFacts {
    return this.#facts;
  }

  /** Up, with carrier: packets can flow. */
  get running(): boolean {
    return this.#facts.adminUp && this.#facts.carrier;
  }

  /** Looks again, now. False when the interface is gone. */
  refresh(): boolean {
    if (this.#watch === undefined) return false;
    native.linkWatchDrain(this.#watch.fd);
    const facts = native.linkFacts(this.index);
    if (facts === undefined) {
      this.close();
      this.events.gone();
      return false;
    }
    this.#facts = facts;
    this.events.changed(facts);
    return true;
  }

  setUp(up: boolean): void {
    this.#change(() => native.linkSetUp(this.index, up));
  }

  setMtu(mtu: number): void {
    this.#change(() => native.linkSetMtu(this.index, mtu));
  }

  setMac(mac: Uint8Array): void {
    this.#change(() => native.linkSetMac(this.index, mac));
  }

  #change(act: () => void): void {
    if (this.#watch === undefined) {
      // Another interface may have its number by now.
      const why = 'is not in this network namespace any more; set it from where it is';
      throw new PollwireError('NOT_FOUND', `Interface ${this.#facts.name} ${why}.`);
    }
    act();
    this.refresh();
  }

  /** Twice is harmless. */
  close(): void {
    const watch = this.#watch;
    this.#watch = undefined;
    if (watch === undefined) return;
    watch.close();
    native.closeFd(watch.fd);
  }
}
