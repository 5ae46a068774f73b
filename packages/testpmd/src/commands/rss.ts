/** RSS commands of DPDK's testpmd. No driver has RSS so far; each is answered with a sentence that says so. */
import type { Token } from '../grammar.js';
import { kw, pick, port, word } from '../grammar.js';
import type { Testpmd } from '../testpmd.js';
import { define, refusePort } from './context.js';

const HASH_TYPES = [
  'all',
  'default',
  'ip',
  'tcp',
  'udp',
  'sctp',
  'ether',
  'port',
  'vxlan',
  'geneve',
  'none',
] as const;

function refuseOn(app: Testpmd, id: number): void {
  const one = app.ports.get(id);
  if (one === undefined) refusePort(app, id);
  else app.out.error(`Port ${id}: RSS is not negotiated by this device (${one.driverName})`);
}

/** A command on one port. */
const onPort = <const W extends readonly Token[]>(words: W, section: 'display' | 'config', help: string) =>
  define({ words, section, help, run: (args, app) => refuseOn(app, (args as { port: number }).port) });

export const rssCommands = [
  define({
    words: [kw('port'), kw('config'), kw('all'), kw('rss'), pick('types', HASH_TYPES)],
    section: 'config',
    help: 'What packets are spread over queues by; no driver here has RSS.',
    run: (_args, app) => {
      for (const id of app.ports.ids()) refuseOn(app, id);
    },
  }),
  onPort(
    [kw('port'), kw('config'), port(), kw('rss'), kw('reta'), word('entries', '(hash,queue)[,(hash,queue)]')],
    'config',
    'The redirection table of RSS; no driver here has RSS.',
  ),
  onPort(
    [kw('show'), kw('port'), port(), kw('rss-hash')],
    'display',
    'What packets are spread over queues by.',
  ),
  onPort(
    [kw('show'), kw('port'), port(), kw('rss-hash'), kw('key')],
    'display',
    'The same, with the key of the hash.',
  ),
  onPort(
    [kw('show'), kw('port'), port(), kw('rss'), kw('reta'), word('size'), word('masks', '(mask0,mask1,…)')],
    'display',
    'The redirection table of RSS.',
  ),
];
