/** `port …` and `device …`: life cycle, hot-plug, queue configuration. */
import { errnoOf, messageOf } from '../errors.js';
import { kw, num, pick, port, ports, word } from '../grammar.js';
import type { Testpmd } from '../testpmd.js';
import { define } from './context.js';

const section = 'ports';

/** Settings only change while every port is stopped, as in DPDK. */
function whileStopped(app: Testpmd, change: () => void): void {
  if (app.ports.ids().some((id) => app.ports.get(id)?.state === 'started')) {
    app.out.error('Please stop all ports first');
    return;
  }
  change();
  app.ports.settingsChanged();
}

function setQueues(app: Testpmd, what: 'rxq' | 'txq', count: number): void {
  for (const id of app.ports.ids()) {
    const info = app.ports.get(id)?.info;
    const most = what === 'rxq' ? info?.maxRxQueues : info?.maxTxQueues;
    if (most !== undefined && count > most) {
      app.out.error(
        `Fail: input ${what} (${count}) can't be greater than max_${what.slice(0, 2)}_queues (${most}) of port ${id}`,
      );
      return;
    }
  }
  if (count === 0) app.out.error(`Fail: input ${what} (0) can't be less than 1`);
  else app.settings[what] = count;
}

const ACTIONS = { start: 'start', stop: 'stop', close: 'close', reset: 'reset' } as const;

export const portCommands = [
  define({
    words: [kw('port'), pick('action', ['start', 'stop', 'close', 'reset']), ports()],
    section,
    help: 'Start, stop, close or reset ports.',
    run: async ({ action, ports: which }, app) => void (await app.ports[ACTIONS[action]](which)),
  }),
  define({
    words: [kw('port'), kw('attach'), word('devargs', '(driver)(number)[,arguments]')],
    section,
    help: 'Add a port.',
    run: ({ devargs }, app) => app.ports.attach(devargs),
  }),
  define({
    words: [kw('port'), kw('detach'), port()],
    section,
    help: 'Remove a stopped port.',
    run: ({ port: id }, app) => app.ports.detach(id),
  }),
  define({
    words: [kw('device'), kw('detach'), word('name')],
    section: 'devices',
    help: 'Remove a device and its stopped port.',
    run: ({ name }, app) => app.ports.detachDevice(name),
  }),
  define({
    words: [
      kw('port'),
      kw('config'),
      kw('all'),
      pick('what', ['rxq', 'txq', 'rxd', 'txd']),
      num('value', 0, 65_535),
    ],
    section,
    help: 'Queues per port, or descriptors per queue (0: default); ports must be stopped.',
    run: ({ what, value }, app) =>
      whileStopped(app, () => {
        if (what === 'rxq' || what === 'txq') setQueues(app, what, value);
        else app.settings[what] = value;
      }),
  }),
  define({
    words: [kw('port'), kw('config'), kw('all'), kw('max-pkt-len'), num('value', 64, 65_535)],
    section,
    help: 'Longest frame; ports must be stopped.',
    run: ({ value }, app) =>
      whileStopped(app, () => {
        app.settings.maxPktLen = value;
      }),
  }),
  define({
    words: [kw('port'), kw('config'), kw('mtu'), port(), num('value', 0, 65_535)],
    section,
    help: 'Set the MTU of a port.',
    run: ({ port: id, value }, app) => {
      const one = app.ports.get(id);
      if (one === undefined) {
        app.out.error(`Invalid port ${id}`);
        return;
      }
      const { minMtu, maxMtu } = one.info;
      if (value < minMtu || value > maxMtu) {
        const limit = value < minMtu ? `< device min MTU (${minMtu})` : `> device max MTU (${maxMtu})`;
        app.out.error(`MTU (${value}) ${limit} for port_id ${id}`);
        return;
      }
      try {
        one.setMtu(value);
      } catch (error) {
        app.out.error(`Set MTU failed. diag=${errnoOf(error)}`);
        if (errnoOf(error) !== -95) app.out.error(messageOf(error));
      }
    },
  }),
];
