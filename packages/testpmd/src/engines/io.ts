/** io: what is received goes out unchanged. Where nothing has to happen in between, receive and send are one native call. */
import { native } from '@pollwire/native';
import type { Engine, OpenEngine } from './engine.js';
import type { Stream } from './stream.js';

export const io: Engine = {
  name: 'io',
  open: (stream) => fusedIo(stream) ?? plainIo(stream),
};

function plainIo(stream: Stream): OpenEngine {
  return {
    forward() {
      const n = stream.receive();
      if (n !== 0) stream.send(n);
      return n;
    },
  };
}

function fusedIo(stream: Stream): OpenEngine | undefined {
  const slots = stream.fused;
  if (slots === undefined) return undefined;
  const { rx, tx } = slots;
  const { size } = stream;
  const word = stream.burst.word;
  const plain = plainIo(stream);
  const forwardBurst = native.forwardBurst;
  return {
    forward() {
      if (stream.verbose !== 0) return plain.forward();
      const counts = forwardBurst(rx, tx, word, size);
      const received = counts & 0xffff;
      stream.countReceived(received);
      if (received !== 0) stream.countSent(counts >>> 16, received);
      return received;
    },
  };
}
