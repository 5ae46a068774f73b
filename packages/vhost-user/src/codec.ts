/**
 * From bytes to messages and back. `decodeRequest` and `decodeReply` are pure and total: any bytes give a message or a
 * Reject, never an exception and never a read outside the buffers. Used by both roles over connection.ts.
 */
import type {
  BackendMessage,
  Direction,
  FdRange,
  FrontendMessage,
  MessageRow,
  RequestName,
} from './messages.js';
import { BACKEND_REQUESTS, FRONTEND_REQUESTS, rowById } from './messages.js';
import type { PayloadCodec } from './payload-codecs.js';
import { CODECS, isBadField, MAX_PAYLOAD } from './payload-codecs.js';
import type { PayloadKind, PayloadTypes, VringFd } from './payloads.js';
import type { ReceivedFd } from './received-fd.js';
import type { Reject } from './refusal.js';
import { hex, reject } from './refusal.js';

// request u32 | flags u32 | payload size u32
export const HEADER_SIZE = 12;
export const VERSION = 1;
const VERSION_MASK = 0x3;
export const FLAG_REPLY = 0x4;
export const FLAG_NEED_REPLY = 0x8;
const KNOWN_FLAGS = VERSION_MASK | FLAG_REPLY | FLAG_NEED_REPLY;

/** The three fields of a header. */
export interface Header {
  readonly request: number;
  readonly flags: number;
  /** Payload bytes that follow. */
  readonly size: number;
}

/** What the receiver of a message expects: that decides the reply flag. */
export type Expectation = 'request' | 'reply';

/** Name of a request for messages to people; `request 99` for unknown numbers. */
export function requestName(direction: Direction, id: number): string {
  return rowById(direction, id)?.name ?? `request ${id}`;
}

/** Read a header and check what can be checked without a table: version, flags, size. */
export function decodeHeader(bytes: Uint8Array, direction: Direction, expect: Expectation): Header | Reject {
  if (bytes.length < HEADER_SIZE) {
    return reject({
      code: 'VHOST_BAD_PAYLOAD_SIZE',
      message: 'header',
      field: 'size',
      value: `${bytes.length} bytes`,
      limit: `${HEADER_SIZE} bytes`,
    });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_SIZE);
  const header = {
    request: view.getUint32(0, true),
    flags: view.getUint32(4, true),
    size: view.getUint32(8, true),
  };
  const message = requestName(direction, header.request);
  const flags = hex(header.flags);
  if ((header.flags & VERSION_MASK) !== VERSION) {
    const value = `${header.flags & VERSION_MASK} (flags ${flags})`;
    return reject({ code: 'VHOST_BAD_VERSION', message, field: 'version', value, limit: `${VERSION}` });
  }
  if ((header.flags & ~KNOWN_FLAGS) !== 0) {
    const limit = 'version, reply and need-reply bits only';
    return reject({ code: 'VHOST_BAD_FLAGS', message, field: 'flags', value: flags, limit });
  }
  const isReply = (header.flags & FLAG_REPLY) !== 0;
  if (isReply !== (expect === 'reply')) {
    const limit = expect === 'reply' ? 'a reply (bit 2 set)' : 'a request (bit 2 clear)';
    return reject({ code: 'VHOST_UNEXPECTED_REPLY', message, field: 'flags', value: flags, limit });
  }
  if (header.size > MAX_PAYLOAD) {
    const value = `${header.size} bytes`;
    const limit = `at most ${MAX_PAYLOAD} bytes`;
    return reject({ code: 'VHOST_PAYLOAD_TOO_LARGE', message, field: 'payload size', value, limit });
  }
  return header;
}

/**
 * Decode one request.
 * @param header 12 bytes
 * @param payload exactly the bytes after the header
 * @param fds the descriptors that came with it; they are only counted
 */
export function decodeRequest(
  direction: 'frontend',
  header: Uint8Array,
  payload: Uint8Array,
  fds: readonly ReceivedFd[],
): FrontendMessage | Reject;
export function decodeRequest(
  direction: 'backend',
  header: Uint8Array,
  payload: Uint8Array,
  fds: readonly ReceivedFd[],
): BackendMessage | Reject;
export function decodeRequest(
  direction: Direction,
  header: Uint8Array,
  payload: Uint8Array,
  fds: readonly ReceivedFd[],
): FrontendMessage | BackendMessage | Reject {
  const head = decodeHeader(header, direction, 'request');
  if ('kind' in head) {
    return head;
  }
  const row = rowById(direction, head.request);
  if (row === undefined) {
    const limit = `a number from 1 to ${lastId(direction)}`;
    const message = requestName(direction, head.request);
    return reject({
      code: 'VHOST_UNKNOWN_REQUEST',
      message,
      field: 'request',
      value: String(head.request),
      limit,
    });
  }
  if (payload.length !== head.size) {
    return badSize(row, payload.length, `${head.size} bytes as the header says`);
  }
  const decoded = decodePayload(row, row.payload, payload);
  if ('kind' in decoded) {
    return decoded;
  }
  const fdProblem = checkFds(row, carriedFds(row, decoded.value), fds.length);
  if (fdProblem !== undefined) {
    return fdProblem;
  }
  const needReply = (head.flags & FLAG_NEED_REPLY) !== 0;
  return { kind: 'message', name: row.name, row, needReply, payload: decoded.value, fds } as unknown as
    | FrontendMessage
    | BackendMessage;
}

/** A decoded reply. */
export interface Reply<K extends PayloadKind = PayloadKind> {
  readonly kind: 'reply';
  readonly row: MessageRow;
  readonly payload: PayloadTypes[K];
  readonly fds: readonly ReceivedFd[];
}

/** What a reply may look like. The layout is the first of `payloads` whose size fits. */
export interface ReplyForm<K extends PayloadKind> {
  readonly payloads: readonly [K, ...K[]];
  readonly fds: FdRange;
}

/**
 * Decode the reply to a request that is waiting for one.
 * @param row the request that was sent; another one in the header is a Reject
 */
export function decodeReply<K extends PayloadKind>(
  direction: Direction,
  row: MessageRow,
  form: ReplyForm<K>,
  header: Uint8Array,
  bytes: Uint8Array,
  fds: readonly ReceivedFd[],
): Reply<K> | Reject {
  const head = decodeHeader(header, direction, 'reply');
  if ('kind' in head) {
    return head;
  }
  if (head.request !== row.id) {
    const value = requestName(direction, head.request);
    return reject({ code: 'VHOST_BAD_REPLY', message: row.name, field: 'reply to', value, limit: row.name });
  }
  if ((head.flags & FLAG_NEED_REPLY) !== 0) {
    const limit = 'need-reply clear in a reply';
    return reject({
      code: 'VHOST_BAD_FLAGS',
      message: row.name,
      field: 'flags',
      value: hex(head.flags),
      limit,
    });
  }
  if (bytes.length !== head.size) {
    return badSize(row, bytes.length, `${head.size} bytes as the header says`);
  }
  const fdProblem = checkFds(row, form.fds, fds.length);
  if (fdProblem !== undefined) {
    return fdProblem;
  }
  const fits = (kind: K) => bytes.length >= CODECS[kind].min && bytes.length <= CODECS[kind].max;
  const decoded = decodePayload(row, form.payloads.find(fits) ?? form.payloads[0], bytes);
  return 'kind' in decoded ? decoded : { kind: 'reply', row, payload: decoded.value, fds };
}

/** Encode a whole request. */
export function encodeRequest<K extends PayloadKind>(
  row: MessageRow,
  payload: PayloadTypes[K],
  needReply = false,
): Uint8Array {
  const codec = CODECS[row.payload] as PayloadCodec<PayloadTypes[K]>;
  return encodeMessage(row.id, VERSION | (needReply ? FLAG_NEED_REPLY : 0), codec.encode(payload));
}

/** Encode a whole reply. */
export function encodeReply<K extends PayloadKind>(
  row: MessageRow,
  kind: K,
  payload: PayloadTypes[K],
): Uint8Array {
  const codec: PayloadCodec<PayloadTypes[K]> = CODECS[kind];
  return encodeMessage(row.id, VERSION | FLAG_REPLY, codec.encode(payload));
}

/** A header and a payload as one buffer, whatever they are. */
export function encodeMessage(request: number, flags: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_SIZE + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, request, true);
  view.setUint32(4, flags, true);
  view.setUint32(8, payload.length, true);
  bytes.set(payload, HEADER_SIZE);
  return bytes;
}

/** The row of a request by name. */
export function rowOf(name: RequestName): MessageRow {
  return { ...FRONTEND_REQUESTS, ...BACKEND_REQUESTS }[name];
}

function decodePayload<K extends PayloadKind>(
  row: MessageRow,
  kind: K,
  bytes: Uint8Array,
): { value: PayloadTypes[K] } | Reject {
  const codec = CODECS[kind] as PayloadCodec<PayloadTypes[K]>;
  if (bytes.length < codec.min || bytes.length > codec.max) {
    return badSize(row, bytes.length, sizeLimit(codec));
  }
  const value = codec.decode(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  if (isBadField(value)) {
    return reject({ code: 'VHOST_BAD_FIELD', message: row.name, ...value.bad });
  }
  return { value };
}

/** The descriptors this message must carry: a table as many as regions, a vring word one or none by its flag. */
function carriedFds(row: MessageRow, payload: PayloadTypes[PayloadKind]): FdRange {
  if (row.payload === 'memTable') {
    const count = (payload as PayloadTypes['memTable']).length;
    return { min: count, max: count };
  }
  if (row.payload === 'vringFd' || row.payload === 'vringArea') {
    const count = (payload as VringFd).noFd ? 0 : 1;
    return { min: count, max: count };
  }
  return row.fds;
}

function checkFds(row: MessageRow, range: FdRange, count: number): Reject | undefined {
  if (count >= range.min && count <= range.max) {
    return undefined;
  }
  const limit = range.min === range.max ? `exactly ${range.min}` : `${range.min} to ${range.max}`;
  return reject({
    code: 'VHOST_BAD_FD_COUNT',
    message: row.name,
    field: 'number of file descriptors',
    value: String(count),
    limit,
  });
}

function badSize(row: MessageRow, size: number, limit: string): Reject {
  return reject({
    code: 'VHOST_BAD_PAYLOAD_SIZE',
    message: row.name,
    field: 'payload size',
    value: `${size} bytes`,
    limit,
  });
}

function sizeLimit(codec: { readonly min: number; readonly max: number }): string {
  return codec.min === codec.max ? `exactly ${codec.min} bytes` : `${codec.min} to ${codec.max} bytes`;
}

function lastId(direction: Direction): number {
  const rows = direction === 'frontend' ? FRONTEND_REQUESTS : BACKEND_REQUESTS;
  return Math.max(...Object.values(rows).map((row) => row.id));
}
