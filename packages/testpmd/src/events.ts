/** Prints port events as DPDK's testpmd does and takes ports out whose device went away. Subscribed once at start-up. */
import type { Eal, Port } from '@pollwire/ethdev';
import { messageOf } from './errors.js';
import type { Output } from './output.js';
import type { EventName, Settings } from './settings.js';
import { EVENT_TEXTS } from './settings.js';

export interface EventDeps {
  eal: Eal;
  settings: Settings;
  out: Output;
  /** The device of a port is gone. */
  removed: (port: Port) => void;
  /** Called after a line was printed; the prompt draws itself again. */
  printed?: () => void;
}

/** @returns unsubscribes */
export function watchEvents({ eal, settings, out, removed, printed }: EventDeps): () => void {
  const print = (port: Port, name: EventName): void => {
    if (!settings.printEvents.has(name)) return;
    out.write(`\nPort ${port.id}: ${EVENT_TEXTS[name]} event\n`);
    printed?.();
  };
  const listeners = {
    new: (port: Port) => print(port, 'dev_probed'),
    destroy: (port: Port) => print(port, 'dev_released'),
    intr_lsc: (port: Port) => print(port, 'intr_lsc'),
    intr_reset: (port: Port) => print(port, 'intr_reset'),
    // One line per queue that changed.
    queue_state: (port: Port) => {
      while (port.getQueueEvent() !== undefined) print(port, 'queue_state');
    },
    intr_rmv: (port: Port) => {
      print(port, 'intr_rmv');
      if (settings.removalInterrupt) removed(port);
    },
  } as const;
  const complain = (error: unknown): void => {
    out.error(messageOf(error));
    printed?.();
  };
  const names = Object.keys(listeners) as (keyof typeof listeners)[];
  for (const name of names) eal.on(name, listeners[name]);
  eal.on('lcore_error', complain);
  eal.on('error', complain);
  return () => {
    for (const name of names) eal.off(name, listeners[name]);
    eal.off('lcore_error', complain);
    eal.off('error', complain);
  };
}
