/** A request before decoding, as extern handlers see it. */
import type { ReceivedFd } from './received-fd.js';

export interface RawRequest {
  /** Request number, possibly one that this package does not know. */
  readonly id: number;
  /** Its name, undefined for an unknown number. */
  readonly name: string | undefined;
  readonly needReply: boolean;
  /** At most 4096 bytes, the handler's own copy. */
  readonly payload: Uint8Array;
  readonly fds: readonly ReceivedFd[];
}
