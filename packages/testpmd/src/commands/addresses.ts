/** `mac_addr …` and `mcast_addr …`: which addresses a port receives while promiscuous mode is off. Texts are DPDK's. */
import type { Port } from '@pollwire/ethdev';
import { formatMac, parseMac } from '@pollwire/ethdev';
import { errnoOf, isUnsupported, messageOf, reasonOf } from '../errors.js';
import { kw, pick, port, word } from '../grammar.js';
import type { Testpmd } from '../testpmd.js';
import { define } from './context.js';

const section = 'config';

/** DPDK's prompt takes no address for an argument when it is none. */
function readMac(app: Testpmd, text: string): Uint8Array | undefined {
  try {
    return parseMac(text);
  } catch (error) {
    app.out.error(`Bad arguments: ${messageOf(error)}`);
    return undefined;
  }
}

function find(app: Testpmd, id: number): Port | undefined {
  const one = app.ports.get(id);
  if (one === undefined) app.out.error(`Invalid port ${id}`);
  return one;
}

/** @returns whether the port took the list. */
function setGroups(app: Testpmd, one: Port, macs: readonly Uint8Array[]): boolean {
  try {
    one.setMulticastList(macs);
    return true;
  } catch (error) {
    const call = `rte_eth_dev_set_mc_addr_list(port=${one.id}, nb=${macs.length})`;
    app.out.error(`${call} failed. diag=${errnoOf(error)}`);
    if (!isUnsupported(error)) app.out.error(messageOf(error));
    return false;
  }
}

function changeGroups(app: Testpmd, one: Port, action: 'add' | 'remove', mac: Uint8Array): void {
  const before = one.multicastMacs;
  const at = before.findIndex((known) => formatMac(known) === formatMac(mac));
  if (action === 'add') {
    if (at >= 0) app.out.error('multicast address already filtered by port');
    else setGroups(app, one, [...before, mac]);
    return;
  }
  if (at < 0) app.out.error(`multicast address not filtered by port ${one.id}`);
  else setGroups(app, one, before.toSpliced(at, 1));
}

export const addressCommands = [
  define({
    words: [kw('mac_addr'), pick('action', ['add', 'remove', 'set']), port(), word('mac', '(mac_addr)')],
    section,
    help: 'Add or remove a MAC address, or change the default one.',
    run: ({ action, port: id, mac }, app) => {
      const one = find(app, id);
      const bytes = one === undefined ? undefined : readMac(app, mac);
      if (one === undefined || bytes === undefined) return;
      try {
        if (action === 'add') one.addMac(bytes);
        else if (action === 'remove') one.removeMac(bytes);
        else one.setMac(bytes);
      } catch (error) {
        app.out.error(`mac_addr_cmd error: (${reasonOf(error)})`);
      }
    },
  }),
  define({
    words: [kw('mcast_addr'), pick('action', ['add', 'remove']), port(), word('mac', '(mcast_addr)')],
    section,
    help: 'Listen to a group address, or no longer.',
    run: ({ action, port: id, mac }, app) => {
      const bytes = readMac(app, mac);
      if (bytes === undefined) return;
      if (((bytes[0] as number) & 1) === 0) {
        app.out.error(`Invalid multicast addr ${formatMac(bytes)}`);
        return;
      }
      const one = find(app, id);
      if (one !== undefined) changeGroups(app, one, action, bytes);
    },
  }),
  define({
    words: [kw('mcast_addr'), kw('flush'), port()],
    section,
    help: 'Listen to no group address of the list any more.',
    run: ({ port: id }, app) => {
      const one = find(app, id);
      if (one !== undefined && !setGroups(app, one, []))
        app.out.error(`Failed to flush all multicast MAC addresses on port_id ${id}`);
    },
  }),
];
