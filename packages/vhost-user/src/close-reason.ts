/** Why a connection ended, and how the causes become a reason: what was rejected, what the socket or a handler threw. */
import { PollwireError } from '@pollwire/native';
import type { Reject, VhostCode } from './refusal.js';

/** Why a connection ended. */
export interface CloseReason {
  readonly code: VhostCode;
  /** One line for people. */
  readonly text: string;
  /** Who ended it. */
  readonly by: 'us' | 'peer';
  /** The message in hand, if one was to blame. */
  readonly message?: string;
  readonly field?: string;
  readonly value?: string;
  readonly limit?: string;
  readonly cause?: unknown;
}

/** A rejection as the reason to close. */
export function reasonOf(reject: Reject): CloseReason {
  const { code, message, field, value, limit, text } = reject;
  return { code, text, by: 'us', message, field, value, limit };
}

const PEER_GONE = new Set(['EPIPE', 'ECONNRESET', 'PEER_CLOSED']);
const FDS_LOST = new Set(['SOCKET_TRUNCATED', 'BAD_FD_COUNT']);

/** What the socket threw, as the reason to close. */
export function socketFailure(error: unknown): CloseReason {
  const code = error instanceof PollwireError ? error.code : 'unknown';
  if (FDS_LOST.has(code)) {
    const text =
      'file descriptors of a message were lost: too many in one message, or this process is at its limit of open ' +
      'files (ulimit -n)';
    return { code: 'VHOST_FDS_TRUNCATED', text, by: 'us', cause: error };
  }
  if (PEER_GONE.has(code)) {
    return {
      code: 'VHOST_PEER_CLOSED',
      text: `the peer closed the connection (${code})`,
      by: 'peer',
      cause: error,
    };
  }
  return { code: 'VHOST_SOCKET_ERROR', text: `socket error ${code}`, by: 'us', cause: error };
}

/** What a message handler threw, as the reason to close. */
export function handlerFailure(error: unknown): CloseReason {
  const text = `the message handler failed: ${error instanceof Error ? error.message : String(error)}`;
  return { code: 'VHOST_HANDLER_FAILED', text, by: 'us', cause: error };
}
