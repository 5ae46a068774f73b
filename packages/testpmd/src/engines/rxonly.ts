/** rxonly: counts and frees. */
import type { Engine } from './engine.js';

export const rxonly: Engine = {
  name: 'rxonly',
  open: (stream) => ({
    forward() {
      const n = stream.receive();
      if (n !== 0) stream.burst.free(0);
      return n;
    },
  }),
};
