/** `set fwd`, bursts, generated packets, lcores and ports that forward: what takes effect at the next start. */
import { PollwireError } from '@pollwire/native';
import { kw, num, onOff, pick, word } from '../grammar.js';
import { segmentRoom } from '../pools.js';
import type { EngineName, Settings } from '../settings.js';
import { defaultSettings, ENGINE_NAMES, MAX_BURST } from '../settings.js';
import type { Testpmd } from '../testpmd.js';
import { maskBits, numberList, segmentLengths } from '../values.js';
import { define } from './context.js';

const section = 'config';

function setEngine(app: Testpmd, engine: EngineName, retry: boolean): void {
  app.settings.engine = engine;
  app.settings.retry = retry;
  app.out.write(`Set ${engine} packet forwarding mode${retry ? ' with retry' : ''}\n`);
}

function setCores(app: Testpmd, lcores: number[]): void {
  const known = app.eal.lcores.map((lcore) => lcore.id);
  for (const id of lcores) {
    if (id === app.eal.mainLcore.id) {
      app.out.error(
        `lcore ${id} cannot be masked on for running packet forwarding, which is the main lcore and reserved for command line parsing only`,
      );
      return;
    }
    if (!known.includes(id)) {
      app.out.error(`lcore ${id} not enabled`);
      return;
    }
  }
  app.settings.coreList = lcores;
  app.settings.nbCores = lcores.length;
}

function setPorts(app: Testpmd, ids: number[]): void {
  const absent = ids.find((id) => app.ports.get(id) === undefined);
  if (absent !== undefined) {
    app.out.error(`Invalid port ${absent}`);
    return;
  }
  const before = app.forwarding.forwardingPorts().length;
  app.settings.portList = ids;
  app.settings.nbPorts = undefined;
  if (before !== ids.length) {
    app.out.write(
      `previous number of forwarding ports ${before} - changed to number of configured ports ${ids.length}\n`,
    );
  }
}

/** Everything that `set default` puts back; ports, queues and peers stay. */
function setDefaults(settings: Settings): void {
  const { engine, retry, burst, nbCores, coreList, nbPorts, portList } = defaultSettings();
  Object.assign(settings, { engine, retry, burst, nbCores, coreList, nbPorts, portList });
}

/** Runs a parser of values.ts; its refusal is printed. */
function parsed<T>(app: Testpmd, parse: () => T, use: (value: T) => void): void {
  try {
    use(parse());
  } catch (error) {
    if (!(error instanceof PollwireError)) throw error;
    app.out.error(error.message);
  }
}

export const setForwardingCommands = [
  define({
    words: [kw('set'), kw('fwd'), pick('mode', ENGINE_NAMES)],
    section,
    help: 'Choose the forwarding engine.',
    run: ({ mode }, app) => setEngine(app, mode, false),
  }),
  define({
    words: [kw('set'), kw('fwd'), pick('mode', ENGINE_NAMES), kw('retry')],
    section,
    help: 'Choose the forwarding engine; what a full queue refuses is sent again.',
    run: ({ mode }, app) => setEngine(app, mode, true),
  }),
  define({
    words: [kw('set'), kw('burst'), num('packets', 0, 65_535)],
    section,
    help: `Packets per burst, 1 to ${MAX_BURST}.`,
    run: ({ packets }, app) => {
      if (packets > MAX_BURST) {
        app.out.error(`nb pkt per burst: ${packets} > ${MAX_BURST} (maximum packet per burst)  ignored`);
        return;
      }
      if (packets === 0) {
        app.out.error('nb pkt per burst: 0 < 1 (minimum packet per burst)  ignored');
        return;
      }
      app.settings.burst = packets;
      app.out.write(`Number of packets per burst set to ${packets}\n`);
    },
  }),
  define({
    words: [
      kw('set'),
      kw('burst'),
      kw('tx'),
      kw('delay'),
      num('microseconds', 0, 100_000),
      kw('retry'),
      num('times', 0, 1000),
    ],
    section,
    help: 'How long to wait between attempts to send, and how many to make.',
    run: ({ microseconds, times }, app) => {
      app.settings.retryDelayUs = microseconds;
      app.settings.retryCount = times;
    },
  }),
  define({
    words: [kw('set'), kw('txpkts'), word('lengths', '(x[,y]*)')],
    section,
    help: 'Segment lengths of packets that txonly and flowgen make.',
    run: ({ lengths }, app) =>
      parsed(
        app,
        () => segmentLengths('txpkts', lengths, segmentRoom(app.settings)),
        (segments) => {
          app.settings.traffic.segments = segments;
        },
      ),
  }),
  define({
    words: [kw('set'), kw('nbcore'), num('count', 0, 65_535)],
    section,
    help: 'Number of forwarding lcores.',
    run: ({ count }, app) => {
      const most = app.forwarding.lcores().length;
      if (count > most)
        app.out.error(`nb fwd cores ${count} > ${most} (max. number of configured lcores) - ignored`);
      else if (count === 0) app.out.error('nb fwd cores 0 < 1 - ignored');
      else {
        app.settings.nbCores = count;
        app.out.write(`Number of forwarding cores set to ${count}\n`);
      }
    },
  }),
  define({
    words: [kw('set'), kw('nbport'), num('count', 0, 65_535)],
    section,
    help: 'Forward between the first ports of the list.',
    run: ({ count }, app) => {
      const most = app.settings.portList?.length ?? app.ports.ids().length;
      if (count > most)
        app.out.error(`nb fwd ports ${count} > ${most} (number of configured ports) - ignored`);
      else if (count === 0) app.out.error('nb fwd ports 0 < 1 - ignored');
      else {
        app.settings.nbPorts = count;
        app.out.write(`Number of forwarding ports set to ${count}\n`);
        app.warnOddPorts();
      }
    },
  }),
  define({
    words: [kw('set'), pick('form', ['corelist', 'coremask']), word('lcores', '(x[,y]*|mask)')],
    section,
    help: 'Forwarding lcores in order; the main lcore cannot be one.',
    run: ({ form, lcores }, app) =>
      parsed(
        app,
        () => (form === 'corelist' ? numberList(form, lcores, 127) : maskBits(form, lcores)),
        (list) => setCores(app, list),
      ),
  }),
  define({
    words: [kw('set'), pick('form', ['portlist', 'portmask']), word('ports', '(x[,y]*|mask)')],
    section,
    help: 'Forwarding ports in order.',
    run: ({ form, ports: text }, app) =>
      parsed(
        app,
        () => (form === 'portlist' ? numberList(form, text, 63) : maskBits(form, text)),
        (list) => setPorts(app, list),
      ),
  }),
  define({
    words: [kw('set'), kw('flush_rx'), onOff('on')],
    section,
    help: 'Whether what waits in the receive queues is thrown away at the start.',
    run: ({ on }, app) => {
      app.settings.flushRx = on;
    },
  }),
  define({
    words: [kw('set'), pick('what', ['record-core-cycles', 'record-burst-stats']), onOff('on')],
    section,
    help: 'Measure cycles per packet, or how full bursts are, from the next start on.',
    run: ({ what, on }, app) => {
      if (what === 'record-core-cycles') app.settings.recordCycles = on;
      else app.settings.recordBursts = on;
    },
  }),
  define({
    words: [kw('set'), kw('default')],
    section,
    help: 'Back to the forwarding configuration without options.',
    run: (_args, app) => {
      setDefaults(app.settings);
      app.out.write('Reset to default forwarding configuration...\n');
    },
  }),
];
