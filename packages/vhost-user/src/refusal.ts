/**
 * How this package says no. A Reject is what the pure decoder found in the bytes; a Refusal is what a rule or a
 * handler thinks of a well-formed message. Both carry a code and a sentence and none of the peer's bytes.
 */

/** Stable codes of everything that can be wrong with a message or a connection. */
export type VhostCode =
  | 'VHOST_BAD_VERSION'
  | 'VHOST_BAD_FLAGS'
  | 'VHOST_UNEXPECTED_REPLY'
  | 'VHOST_PAYLOAD_TOO_LARGE'
  | 'VHOST_UNKNOWN_REQUEST'
  | 'VHOST_BAD_PAYLOAD_SIZE'
  | 'VHOST_BAD_FD_COUNT'
  | 'VHOST_STRAY_FDS'
  | 'VHOST_FDS_TRUNCATED'
  | 'VHOST_BAD_FIELD'
  | 'VHOST_NOT_NEGOTIATED'
  | 'VHOST_BAD_FEATURES'
  | 'VHOST_BAD_STATE'
  | 'VHOST_BAD_VRING_INDEX'
  | 'VHOST_BAD_VRING_SIZE'
  | 'VHOST_BAD_MEMORY'
  | 'VHOST_BAD_STATUS'
  | 'VHOST_BAD_FD_TYPE'
  | 'VHOST_NOT_SUPPORTED'
  | 'VHOST_REFUSED'
  | 'VHOST_HANDLER_FAILED'
  | 'VHOST_HANDSHAKE_TIMEOUT'
  | 'VHOST_PARTIAL_MESSAGE'
  | 'VHOST_PEER_NOT_READING'
  | 'VHOST_REPLY_TIMEOUT'
  | 'VHOST_BAD_REPLY'
  | 'VHOST_NACK'
  | 'VHOST_PEER_CLOSED'
  | 'VHOST_SOCKET_ERROR'
  | 'VHOST_CLOSED';

/** The facts of a rejection: which message, which field of it, what was there and what would have been right. */
export interface RejectFacts {
  readonly code: VhostCode;
  /** Message name, or `request 99` for an unknown one. */
  readonly message: string;
  readonly field: string;
  /** The offending value as a number in words (decimal or 0x…), never bytes of the peer. */
  readonly value: string;
  /** What is allowed, in words. */
  readonly limit: string;
}

/** A message that the decoder does not accept. */
export interface Reject extends RejectFacts {
  readonly kind: 'reject';
  /** The facts as one sentence. */
  readonly text: string;
}

/** Build a {@link Reject} with its sentence. */
export function reject(facts: RejectFacts): Reject {
  const text = `${facts.message}: ${facts.field} is ${facts.value}; allowed: ${facts.limit}`;
  return { kind: 'reject', ...facts, text };
}

/** A handler's or a rule's "no": answered with a NACK if a reply was asked for, otherwise the connection closes. */
export interface Refusal {
  readonly kind: 'refusal';
  readonly code: VhostCode;
  readonly reason: string;
  /** Close the connection even if the peer asked for an answer (it still gets the NACK). */
  readonly fatal: boolean;
}

/** Say no to a message. `reason` is one clear line: the thing, the value, the limit. */
export function refuse(reason: string, code: VhostCode = 'VHOST_REFUSED'): Refusal {
  return { kind: 'refusal', code, reason, fatal: false };
}

/** Say no and end the connection: what the peer did leaves nothing to go on with. */
export function refuseFatally(reason: string, code: VhostCode = 'VHOST_REFUSED'): Refusal {
  return { kind: 'refusal', code, reason, fatal: true };
}

export function isReject(value: unknown): value is Reject {
  return hasKind(value, 'reject');
}

export function isRefusal(value: unknown): value is Refusal {
  return hasKind(value, 'refusal');
}

/** A number of the peer's, printable: hexadecimal, since addresses and feature words are read that way. */
export function hex(value: bigint | number): string {
  return `0x${value.toString(16)}`;
}

function hasKind(value: unknown, kind: string): boolean {
  return typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === kind;
}
