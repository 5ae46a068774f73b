/** What a back-end session is told when it starts. */
import type { ChannelOptions } from './backend-channel.js';
import type { ConnectionLimits } from './connection-limits.js';
import type { FdSocket } from './fd-socket.js';
import type { Trace } from './trace.js';

/** What a session offers and how patient it is. */
export interface BackendOptions {
  /** Virtio features offered. Include VHOST_USER_F_PROTOCOL_FEATURES unless the front-end is to see none. */
  readonly features: bigint;
  /** What a front-end that acks these features, which are not offered, should be told beside their names. */
  readonly remedyFor?: (features: bigint) => string | undefined;
  /** Vrings that exist: for a network device two for each queue pair. 1 to 256 (the index has 8 bits). */
  readonly vringCount: number;
  /** Answer to GET_QUEUE_NUM: for a network device the queue pairs. Default half the vrings, rounded up. */
  readonly queueNum?: number;
  /** Answer to GET_MAX_MEM_SLOTS, and the limit that ADD_MEM_REG keeps. Default 32. */
  readonly maxMemorySlots?: number;
  /** Of the protocol features that the handler makes possible, offer these. Default all. */
  readonly protocolFeatures?: bigint;
  /** Protocol features to offer besides, served by extern handlers. Default none. */
  readonly extraProtocolFeatures?: bigint;
  /** `net`: dependent offload bits of virtio-net are masked. Default `net`. */
  readonly device?: 'net' | 'other';
  readonly limits?: ConnectionLimits;
  /** For the back-end channel. `open` makes a socket of a descriptor and throws when it is none. */
  readonly channel?: ChannelOptions & { readonly open?: (fd: number) => FdSocket };
  /** Default: a new time line of 256 entries. */
  readonly trace?: Trace;
}
