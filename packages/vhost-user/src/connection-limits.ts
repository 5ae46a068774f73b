/** How long a connection waits and how much it keeps. */

/** Limits of a connection. Times are milliseconds; 0 switches a deadline off. */
export interface ConnectionLimits {
  /** From the connection to the first whole message. Default 30 000. */
  readonly handshakeTimeout?: number;
  /** From the first byte of a message to its last. Default 5000. */
  readonly partialTimeout?: number;
  /** How long a full socket may not move. Default 5000. */
  readonly writeTimeout?: number;
  /** Messages handled before other work gets its turn. Default 64. */
  readonly messageBudget?: number;
  /** Bytes waiting to be sent above which no further message is read. Default 16 KiB. */
  readonly pauseReadingAbove?: number;
  /** Bytes waiting to be sent above which the connection closes. Default 256 KiB. */
  readonly maxOutput?: number;
}

/** What a connection gets that asks for nothing else. */
export const DEFAULT_LIMITS: Required<ConnectionLimits> = {
  handshakeTimeout: 30_000,
  partialTimeout: 5_000,
  writeTimeout: 5_000,
  messageBudget: 64,
  pauseReadingAbove: 16 * 1024,
  maxOutput: 256 * 1024,
};
