/**
 * A turn as one native call: receive, edit, send. Where something has to happen in between that only TypeScript does (packet dumps,
 * retries, queues written in TypeScript), the engine's own loop runs instead. Used by io, mac and macswap.
 */
import type { HeaderEdit } from '@pollwire/ethdev';
import { native } from '@pollwire/native';
import type { OpenEngine } from './engine.js';
import type { Stream } from './stream.js';

/** `plain` as one call per burst where that is possible. `edit`: what `plain` does to each packet. */
export function fused(stream: Stream, plain: OpenEngine, edit?: HeaderEdit): OpenEngine {
  const slots = stream.fused;
  if (slots === undefined) return plain;
  const { rx, tx } = slots;
  const { size } = stream;
  const word = stream.burst.word;
  const code = edit?.code;
  const { forwardBurst, forwardEdited } = native;
  return {
    forward() {
      if (stream.verbose !== 0) return plain.forward();
      const counts =
        code === undefined ? forwardBurst(rx, tx, word, size) : forwardEdited(rx, tx, word, size, code);
      const received = counts & 0xffff;
      stream.countReceived(received);
      if (received !== 0) stream.countSent(counts >>> 16, received);
      return received;
    },
  };
}
