/**
 * The one error class of Pollwire and its policy table. Every package throws it; the loader turns what the addon throws into it.
 * A code is stable API, a message is for people: it names the thing, the value and the remedy.
 */
import { constants } from 'node:os';

/** `errno` a code stands for (what DPDK's functions would return, negated) and whether trying again can help. */
interface Policy {
  errno: keyof typeof constants.errno;
  retryable?: true;
}

/** Codes that are not EINVAL and not final. Codes of the core are listed first, in the order of its status table. */
const POLICY: Readonly<Record<string, Policy>> = {
  OUT_OF_RANGE: { errno: 'ERANGE' },
  NOT_FOUND: { errno: 'ENOENT' },
  ALREADY_EXISTS: { errno: 'EEXIST' },
  BAD_STATE: { errno: 'EINVAL' },
  NOT_SUPPORTED: { errno: 'ENOTSUP' },
  PERMISSION_DENIED: { errno: 'EACCES' },
  NO_MEMORY: { errno: 'ENOMEM' },
  NO_HUGEPAGES: { errno: 'ENOMEM' },
  NO_DESCRIPTORS: { errno: 'EMFILE' },
  AGAIN: { errno: 'EAGAIN', retryable: true },
  BUSY: { errno: 'EBUSY', retryable: true },
  TIMED_OUT: { errno: 'ETIMEDOUT', retryable: true },
  ADDRESS_IN_USE: { errno: 'EADDRINUSE' },
  CONNECTION_REFUSED: { errno: 'ECONNREFUSED', retryable: true },
  PEER_CLOSED: { errno: 'EPIPE', retryable: true },
  RING_BROKEN: { errno: 'EIO' },
  SYSTEM_ERROR: { errno: 'EIO' },
  ADDON_NOT_FOUND: { errno: 'ENOENT' },
  ARENA_FULL: { errno: 'ENOMEM' },
  POOL_EMPTY: { errno: 'ENOMEM', retryable: true },
  POOL_IN_USE: { errno: 'EBUSY', retryable: true },
  POOL_EXISTS: { errno: 'EEXIST' },
  RING_EXISTS: { errno: 'EEXIST' },
  DRIVER_UNKNOWN: { errno: 'ENODEV' },
  DRIVER_EXISTS: { errno: 'EEXIST' },
  PORT_UNKNOWN: { errno: 'ENODEV' },
  PORT_EXISTS: { errno: 'EEXIST' },
  PORT_STATE: { errno: 'EBUSY' },
  PORT_ENOTSUP: { errno: 'ENOTSUP' },
  PORT_LIMIT: { errno: 'ENOSPC' },
  MAC_LIMIT: { errno: 'ENOSPC' },
  MAC_EXISTS: { errno: 'EEXIST' },
  MAC_IN_USE: { errno: 'EADDRINUSE' },
  VLAN_FILTER_OFF: { errno: 'ENOSYS' },
  LCORE_UNKNOWN: { errno: 'ENODEV' },
  LCORE_BUSY: { errno: 'EBUSY', retryable: true },
  LCORE_DIED: { errno: 'EIO', retryable: true },
};

/** What else an error carries beside its code and message. */
export interface PollwireErrorOptions {
  /** The error underneath, if any. */
  cause?: unknown;
  /** Negative errno; taken from the code when absent (EINVAL for codes without an own one). */
  errno?: number;
  /** Failed system call, as Node's own errors name it. */
  syscall?: string;
  /** Values for programs: `{ port: 0, want: 2, got: 1 }`. */
  details?: Readonly<Record<string, unknown>>;
}

/**
 * Error with a stable `code`, a negative `errno` (so that `diag=${err.errno}` prints what DPDK prints), optionally a cause and details.
 *
 * @example throw new PollwireError('PORT_UNKNOWN', 'Port 9 does not exist; ports are 0 and 2.');
 */
export class PollwireError extends Error {
  override readonly name = 'PollwireError';
  readonly code: string;
  readonly errno: number;
  readonly syscall: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, options: PollwireErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.errno = options.errno ?? -constants.errno[POLICY[code]?.errno ?? 'EINVAL'];
    this.syscall = options.syscall;
    this.details = options.details ?? {};
  }
}

/** True when the same call can succeed later without a change by the caller: the peer was away, something was in use. */
export function isRetryable(error: unknown): boolean {
  return error instanceof PollwireError && POLICY[error.code]?.retryable === true;
}

/** Any thrown value as a PollwireError: native errors keep their code, errno and syscall; others get `fallback` as code. */
export function toPollwireError(thrown: unknown, fallback = 'SYSTEM_ERROR'): PollwireError {
  if (thrown instanceof PollwireError) return thrown;
  if (!(thrown instanceof Error)) return new PollwireError(fallback, String(thrown), { cause: thrown });
  const { code, errno, syscall } = thrown as NodeJS.ErrnoException;
  const error = new PollwireError(typeof code === 'string' ? code : fallback, thrown.message, {
    cause: thrown,
    ...(typeof errno === 'number' && errno !== 0 ? { errno: -Math.abs(errno) } : {}),
    ...(typeof syscall === 'string' ? { syscall } : {}),
  });
  return error;
}
