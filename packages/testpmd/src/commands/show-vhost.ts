/** `show vhost PORT`: why the link is down, and what the port knows of its front-end; not a command of DPDK's testpmd. */
import type { PollwireError } from '@pollwire/native';
import { kw, port } from '../grammar.js';
import type { Testpmd } from '../testpmd.js';
import { define, refusePort } from './context.js';

function show(app: Testpmd, id: number, asJson: boolean): void {
  const one = app.ports.get(id);
  if (one === undefined) {
    refusePort(app, id);
    return;
  }
  try {
    const { lines, data } = one.diagnose();
    app.out.write(asJson ? `${JSON.stringify(data)}\n` : lines.map((line) => `${line}\n`).join(''));
  } catch (error) {
    app.out.error(
      `Port ${id} (${one.driverName}) has nothing to show here: ${(error as PollwireError).message}`,
    );
  }
}

export const showVhostCommands = [
  define({
    words: [kw('show'), kw('vhost'), port()],
    section: 'display',
    help: 'Show why the link of a vhost port is down: messages, features, memory, rings.',
    run: ({ port: id }, app) => show(app, id, false),
  }),
  define({
    words: [kw('show'), kw('vhost'), port(), kw('--json')],
    section: 'display',
    help: 'The same as one line of JSON.',
    run: ({ port: id }, app) => show(app, id, true),
  }),
];
