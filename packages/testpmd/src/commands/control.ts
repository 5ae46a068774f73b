/** Commands that start and end things: start, stop, quit, load. */
import { kw, num, word } from '../grammar.js';
import { define } from './context.js';

const section = 'control';

export const controlCommands = [
  define({
    words: [kw('start')],
    section,
    help: 'Start forwarding with the present configuration.',
    run: async (_args, app) => void (await app.forwarding.start()),
  }),
  define({
    words: [kw('start'), kw('tx_first')],
    section,
    help: 'Send one burst on every stream, then start forwarding.',
    run: async (_args, app) => void (await app.forwarding.start(1)),
  }),
  define({
    words: [kw('start'), kw('tx_first'), num('bursts', 1, 100_000)],
    section,
    help: 'Send that many bursts on every stream, then start forwarding.',
    run: async ({ bursts }, app) => void (await app.forwarding.start(bursts)),
  }),
  define({
    words: [kw('stop')],
    section,
    help: 'Stop forwarding and show what was forwarded.',
    run: (_args, app) => app.forwarding.stop(),
  }),
  define({
    words: [kw('load'), word('file')],
    section,
    help: 'Run the commands in a file.',
    run: async ({ file }, _app, session) => void (await session.runFile(file, false)),
  }),
  define({
    words: [kw('load_echo'), word('file')],
    section,
    help: 'Run the commands in a file, printing each.',
    run: async ({ file }, _app, session) => void (await session.runFile(file, true)),
  }),
  define({
    words: [kw('quit')],
    section,
    help: 'Stop forwarding, close the ports and leave.',
    run: (_args, app) => app.quit(),
  }),
];
