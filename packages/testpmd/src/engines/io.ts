/** io: what is received goes out unchanged. */
import type { Engine } from './engine.js';
import { fused } from './fused.js';

export const io: Engine = {
  name: 'io',
  open(stream) {
    return fused(stream, {
      forward() {
        const n = stream.receive();
        if (n !== 0) stream.send(n);
        return n;
      },
    });
  },
};
