/** Every forwarding engine by name. A new engine is a file beside this one, a name in ../settings.ts and a row here. */
import type { EngineName } from '../settings.js';
import { fiveTupleSwap } from './5tswap.js';
import { csum } from './csum.js';
import type { Engine } from './engine.js';
import { flowgen } from './flowgen.js';
import { icmpecho } from './icmpecho.js';
import { io } from './io.js';
import { mac } from './mac.js';
import { macswap } from './macswap.js';
import { noisy } from './noisy.js';
import { rxonly } from './rxonly.js';
import { txonly } from './txonly.js';

export const ENGINES: Readonly<Record<EngineName, Engine>> = {
  io,
  mac,
  macswap,
  flowgen,
  rxonly,
  txonly,
  csum,
  icmpecho,
  noisy,
  '5tswap': fiveTupleSwap,
};
