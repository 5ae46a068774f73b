/** `set …` commands on ports and on output: what takes effect at once. */
import type { Port } from '@pollwire/ethdev';
import { formatMac, parseMac } from '@pollwire/ethdev';
import { L, PollwireError } from '@pollwire/native';
import { reasonOf } from '../errors.js';
import { kw, num, onOff, pick, port, ports, word } from '../grammar.js';
import type { Testpmd } from '../testpmd.js';
import { define } from './context.js';

const section = 'config';

const MODES = {
  promisc: { text: 'promiscuous', set: (one: Port, on: boolean) => one.setPromiscuous(on) },
  allmulti: { text: 'all-multicast', set: (one: Port, on: boolean) => one.setAllMulticast(on) },
} as const;

function setMode(app: Testpmd, what: keyof typeof MODES, which: number | 'all', on: boolean): void {
  const { text, set } = MODES[what];
  const fail = (id: number, reason: string): void =>
    app.out.error(`Error during ${on ? 'enabling' : 'disabling'} ${text} mode for port ${id}: ${reason}`);
  for (const id of which === 'all' ? app.ports.ids() : [which]) {
    const one = app.ports.get(id);
    if (one === undefined) {
      app.out.error(`Invalid port_id=${id}`);
      fail(id, 'No such device');
      continue;
    }
    try {
      set(one, on);
    } catch (error) {
      fail(id, reasonOf(error));
    }
  }
}

function setLink(app: Testpmd, id: number, up: boolean): void {
  const one = app.ports.get(id);
  if (one === undefined) {
    app.out.error(`Invalid port ${id}`);
    return;
  }
  try {
    one.setLink(up);
  } catch {
    app.out.error(`\nSet link ${up ? 'up' : 'down'} fail.`);
  }
}

export const setPortCommands = [
  define({
    words: [kw('set'), kw('verbose'), num('level', 0, 65_535)],
    section,
    help: 'Print packets: 0 none, 1 received, 2 sent, more both.',
    run: ({ level }, app) => {
      app.out.write(`Change verbose level from ${app.settings.verbose} to ${level}\n`);
      app.settings.verbose = level;
      app.forwarding.setVerbose(level);
    },
  }),
  define({
    words: [kw('set'), kw('log'), word('type', 'global|(type)'), num('level', 1, 8)],
    section,
    help: 'Log threshold, for all types or for those that match.',
    run: ({ type, level }, app) =>
      app.eal.logs.configure(type === 'global' ? String(level) : `${type},${level}`),
  }),
  define({
    words: [kw('set'), pick('what', ['promisc', 'allmulti']), ports(), onOff('on')],
    section,
    help: 'Receive frames for any address, or for any group address.',
    run: ({ what, ports: which, on }, app) => setMode(app, what, which, on),
  }),
  define({
    words: [kw('set'), kw('eth-peer'), port(), word('mac', '(peer_addr)')],
    section,
    help: 'Destination MAC address of what leaves a port.',
    run: ({ port: id, mac }, app) => {
      if (id >= L.MAX_PORTS) {
        app.out.error(`Error: Invalid port number ${id}`);
        return;
      }
      try {
        app.settings.ethPeers.set(id, formatMac(parseMac(mac)));
      } catch (error) {
        if (!(error instanceof PollwireError)) throw error;
        app.out.error(`Error: ${error.message}`);
      }
    },
  }),
  define({
    words: [kw('set'), pick('direction', ['link-up', 'link-down']), kw('port'), port()],
    section,
    help: 'Bring the link of a port up or down.',
    run: ({ direction, port: id }, app) => setLink(app, id, direction === 'link-up'),
  }),
  define({
    words: [kw('set'), kw('xstats-hide-zero'), onOff('on')],
    section,
    help: 'Leave counters that are 0 out of `show port xstats`.',
    run: ({ on }, app) => {
      app.settings.hideZeroXstats = on;
    },
  }),
];
