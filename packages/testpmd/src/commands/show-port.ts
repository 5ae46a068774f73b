/** `show port …`, `show device …`, `clear port …`: ports and their counters. */
import type { Port } from '@pollwire/ethdev';
import { formatMac } from '@pollwire/ethdev';
import {
  describeDevice,
  describePort,
  describeRxQueue,
  describeTxQueue,
  summarizePort,
} from '../describe.js';
import { errnoOf, reasonOf } from '../errors.js';
import { kw, num, pick, port, ports, word } from '../grammar.js';
import { formatDeviceInfo, formatPortInfo, formatPortSummary } from '../report/port-info.js';
import { formatXstats } from '../report/port-stats.js';
import { formatRxQueueInfo, formatTxQueueInfo } from '../report/queue-info.js';
import type { Testpmd } from '../testpmd.js';
import { define, refusePort } from './context.js';

const section = 'display';

/** Every port meant, or a refusal and none. */
function select(app: Testpmd, which: number | 'all'): Port[] {
  if (which === 'all') return app.ports.ids().map((id) => app.ports.get(id) as Port);
  const found = app.ports.get(which);
  if (found === undefined) refusePort(app, which);
  return found === undefined ? [] : [found];
}

const SHOW = {
  info: (_app: Testpmd, selected: readonly Port[]) =>
    selected.map((one) => formatPortInfo(describePort(one))).join(''),
  stats: (app: Testpmd, selected: readonly Port[]) => selected.map((one) => app.portStats(one)).join(''),
  xstats: (app: Testpmd, selected: readonly Port[]) =>
    selected.map((one) => formatXstats(one.id, one.xstats(), app.settings.hideZeroXstats)).join(''),
  summary: (app: Testpmd, selected: readonly Port[]) =>
    selected.length === 0 ? '' : formatPortSummary(app.ports.ids().length, selected.map(summarizePort)),
} as const;

function clear(app: Testpmd, one: Port, what: 'info' | 'stats' | 'xstats'): void {
  if (what === 'xstats') one.resetXstats();
  else one.resetStats();
  app.statistics.forget(one);
  app.forwarding.portCleared(one.id);
  if (what !== 'xstats') app.out.write(`\n  NIC statistics for port ${one.id} cleared\n`);
}

export const showPortCommands = [
  define({
    words: [kw('show'), kw('port'), pick('what', ['info', 'stats', 'xstats', 'summary']), ports()],
    section,
    help: 'Show what a port is, its counters, all its counters, or one line.',
    run: ({ what, ports: which }, app) => app.out.write(SHOW[what](app, select(app, which))),
  }),
  define({
    words: [kw('show'), kw('port'), port(), pick('what', ['macs', 'mcast_macs'])],
    section,
    help: 'List the MAC addresses of a port, or the group addresses that it listens to.',
    run: ({ port: id, what }, app) => {
      for (const one of select(app, id)) {
        const [kind, macs] = what === 'macs' ? ['', one.allMacs] : ['Multicast ', one.multicastMacs];
        app.out.write(`Number of ${kind}MAC address added: ${macs.length}\n`);
        for (const mac of macs) app.out.write(`  ${formatMac(mac)}\n`);
      }
    },
  }),
  define({
    words: [kw('show'), kw('device'), kw('info'), word('name', '(name|all)')],
    section,
    help: 'Show the device behind a port.',
    run: ({ name }, app) => {
      const devices = select(app, 'all').filter((one) => name === 'all' || one.name === name);
      if (devices.length === 0 && name !== 'all') app.out.error(`There is no device ${name}`);
      app.out.write(devices.map((one) => formatDeviceInfo(describeDevice(one))).join(''));
    },
  }),
  define({
    words: [kw('show'), pick('direction', ['rxq', 'txq']), kw('info'), port(), num('queue_id', 0, 65_535)],
    section,
    help: 'Show how a queue is set up.',
    run: ({ direction, port: id, queue_id: queue }, app) => {
      for (const one of select(app, id)) showQueue(app, one, direction, queue);
    },
  }),
  define({
    words: [kw('clear'), kw('port'), pick('what', ['info', 'stats', 'xstats']), ports()],
    section,
    help: 'Set the counters of a port back to 0.',
    run: ({ what, ports: which }, app) => {
      for (const one of select(app, which)) clear(app, one, what);
    },
  }),
];

function showQueue(app: Testpmd, one: Port, direction: 'rxq' | 'txq', queue: number): void {
  try {
    const text =
      direction === 'rxq'
        ? formatRxQueueInfo(describeRxQueue(one, queue))
        : formatTxQueueInfo(describeTxQueue(one, queue));
    app.out.write(text);
  } catch (error) {
    const name = direction === 'rxq' ? 'RX' : 'TX';
    app.out.error(`Failed to retrieve information for port: ${one.id}, ${name} queue: ${queue}`);
    app.out.error(`error desc: ${reasonOf(error)}(${errnoOf(error)})`);
  }
}
