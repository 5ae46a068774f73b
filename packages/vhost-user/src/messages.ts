/**
 * The vhost-user message tables: one row per request, both directions. Everything that is the same for every message
 * (size and descriptor checks, negotiation, ring state, quiescing, the kind of answer) is a column here and code
 * nowhere. Facts: the vhost-user document of QEMU; behaviour of DPDK and QEMU where it is silent.
 */

import type { PayloadKind, PayloadTypes } from './payloads.js';
import type { ProtocolFeatureName } from './protocol-features.js';
import { ProtocolFeature } from './protocol-features.js';
import type { ReceivedFd } from './received-fd.js';

/** How many descriptors a message carries. */
export interface FdRange {
  readonly min: number;
  readonly max: number;
}

/**
 * What a request is answered with.
 * - `ack`: a u64, 0 for success, only if the sender asked and REPLY_ACK is negotiated
 * - `payload`: always, with this payload
 * - `own`: a rule of its own, stated at the row; the listed payloads are legal
 */
export type ReplySpec =
  | { readonly kind: 'ack' }
  | { readonly kind: 'payload'; readonly payload: PayloadKind; readonly fds: FdRange }
  | { readonly kind: 'own'; readonly payloads: readonly PayloadKind[] };

/** How far the feature negotiation must have come: nothing yet, GET_FEATURES answered, SET_FEATURES accepted. */
export type Phase = 'connected' | 'features-read' | 'features-set';

/**
 * What the message needs of the vring it names: nothing (`none`: it names none), an index in range (`any`), a ring
 * that does not run (`stopped`), or one that does not run unless the addresses stay (`same-if-running`).
 */
export type RingRule = 'none' | 'any' | 'stopped' | 'same-if-running';

/** What must stand still while the message is applied. */
export type Quiesce = 'none' | 'ring' | 'device';

/** One row. Columns left out of a definition have the default named here. */
export interface MessageRow {
  readonly id: number;
  readonly name: string;
  readonly payload: PayloadKind;
  /** Default none. */
  readonly fds: FdRange;
  /** Protocol feature without which the message is illegal. Default: none needed. */
  readonly feature: ProtocolFeatureName | undefined;
  /** Default `connected`. */
  readonly phase: Phase;
  /** Default `none`. */
  readonly ring: RingRule;
  /** Default `none`. */
  readonly quiesce: Quiesce;
  /** Default `ack`. */
  readonly reply: ReplySpec;
  /** Version of this package that acts on it; null: decoded and checked, left to an extern handler. */
  readonly handledSince: string | null;
}

type RowSpec = Pick<MessageRow, 'id' | 'payload'> & Partial<Omit<MessageRow, 'name'>>;

const fds = <const Min extends number, const Max extends number>(min: Min, max: Max) => ({ min, max });
const NO_FDS = fds(0, 0);
const ONE_FD = fds(1, 1);
const payload = <const P extends PayloadKind>(kind: P, carried: FdRange = NO_FDS) => {
  return { kind: 'payload', payload: kind, fds: carried } as const;
};
const own = (...payloads: PayloadKind[]) => ({ kind: 'own', payloads }) as const;

/** Requests of the front-end (the driver's side) to the back-end (the device's side). */
export const FRONTEND = {
  GET_FEATURES: { id: 1, payload: 'none', reply: payload('u64') },
  SET_FEATURES: { id: 2, payload: 'u64', quiesce: 'device' },
  SET_OWNER: { id: 3, payload: 'none' },
  RESET_OWNER: { id: 4, payload: 'none', quiesce: 'device' },
  // Own reply: the same table with the back-end's addresses while postcopy listens, otherwise an ack if asked.
  SET_MEM_TABLE: {
    id: 5,
    payload: 'memTable',
    fds: fds(0, 8),
    quiesce: 'device',
    reply: own('memTable', 'u64'),
  },
  // Own reply: always one, empty, or the ack if asked; QEMU waits for it without asking.
  SET_LOG_BASE: {
    id: 6,
    payload: 'log',
    fds: ONE_FD,
    feature: 'LOG_SHMFD',
    quiesce: 'device',
    reply: own('none', 'u64'),
  },
  SET_LOG_FD: { id: 7, payload: 'none', fds: ONE_FD },
  SET_VRING_NUM: { id: 8, payload: 'vringState', phase: 'features-set', ring: 'stopped', quiesce: 'ring' },
  SET_VRING_ADDR: {
    id: 9,
    payload: 'vringAddr',
    phase: 'features-set',
    ring: 'same-if-running',
    quiesce: 'ring',
  },
  SET_VRING_BASE: { id: 10, payload: 'vringState', phase: 'features-set', ring: 'stopped', quiesce: 'ring' },
  GET_VRING_BASE: {
    id: 11,
    payload: 'vringState',
    ring: 'any',
    quiesce: 'ring',
    reply: payload('vringState'),
  },
  SET_VRING_KICK: { id: 12, payload: 'vringFd', fds: fds(0, 1), ring: 'any', quiesce: 'ring' },
  SET_VRING_CALL: { id: 13, payload: 'vringFd', fds: fds(0, 1), ring: 'any', quiesce: 'ring' },
  SET_VRING_ERR: { id: 14, payload: 'vringFd', fds: fds(0, 1), ring: 'any', quiesce: 'ring' },
  GET_PROTOCOL_FEATURES: { id: 15, payload: 'none', phase: 'features-read', reply: payload('u64') },
  SET_PROTOCOL_FEATURES: { id: 16, payload: 'u64', phase: 'features-read' },
  GET_QUEUE_NUM: { id: 17, payload: 'none', feature: 'MQ', reply: payload('u64') },
  // QEMU sends it before SET_FEATURES, so "F_PROTOCOL_FEATURES acked" is a rule in session-rules.ts, not a column.
  SET_VRING_ENABLE: { id: 18, payload: 'vringState', ring: 'any', quiesce: 'ring' },
  SEND_RARP: { id: 19, payload: 'u64', feature: 'RARP' },
  NET_SET_MTU: { id: 20, payload: 'u64', feature: 'NET_MTU' },
  SET_BACKEND_REQ_FD: { id: 21, payload: 'none', fds: ONE_FD, feature: 'BACKEND_REQ' },
  IOTLB_MSG: { id: 22, payload: 'iotlb', phase: 'features-set' },
  SET_VRING_ENDIAN: {
    id: 23,
    payload: 'vringState',
    feature: 'CROSS_ENDIAN',
    ring: 'stopped',
    handledSince: null,
  },
  GET_CONFIG: { id: 24, payload: 'config', feature: 'CONFIG', reply: payload('config') },
  SET_CONFIG: { id: 25, payload: 'config', feature: 'CONFIG' },
  CREATE_CRYPTO_SESSION: {
    id: 26,
    payload: 'blob',
    feature: 'CRYPTO_SESSION',
    reply: payload('blob'),
    handledSince: null,
  },
  CLOSE_CRYPTO_SESSION: { id: 27, payload: 'u64', feature: 'CRYPTO_SESSION', handledSince: null },
  POSTCOPY_ADVISE: { id: 28, payload: 'none', feature: 'PAGEFAULT', reply: payload('none', ONE_FD) },
  POSTCOPY_LISTEN: { id: 29, payload: 'none', feature: 'PAGEFAULT', quiesce: 'device' },
  POSTCOPY_END: { id: 30, payload: 'none', feature: 'PAGEFAULT', reply: payload('u64') },
  GET_INFLIGHT_FD: {
    id: 31,
    payload: 'inflight',
    feature: 'INFLIGHT_SHMFD',
    quiesce: 'device',
    reply: payload('inflight', fds(0, 1)),
  },
  SET_INFLIGHT_FD: { id: 32, payload: 'inflight', fds: ONE_FD, feature: 'INFLIGHT_SHMFD', quiesce: 'device' },
  GPU_SET_SOCKET: { id: 33, payload: 'none', fds: ONE_FD, handledSince: null },
  RESET_DEVICE: { id: 34, payload: 'none', feature: 'RESET_DEVICE', quiesce: 'device' },
  VRING_KICK: { id: 35, payload: 'vringState', feature: 'INBAND_NOTIFICATIONS', ring: 'any' },
  GET_MAX_MEM_SLOTS: { id: 36, payload: 'none', feature: 'CONFIGURE_MEM_SLOTS', reply: payload('u64') },
  // Own reply: the region with the back-end's address while postcopy listens, otherwise an ack if asked.
  ADD_MEM_REG: {
    id: 37,
    payload: 'memRegion',
    fds: ONE_FD,
    feature: 'CONFIGURE_MEM_SLOTS',
    quiesce: 'device',
    reply: own('memRegion', 'u64'),
  },
  // Some front-ends attach the region's descriptor; it is closed unused.
  REM_MEM_REG: {
    id: 38,
    payload: 'memRegion',
    fds: fds(0, 1),
    feature: 'CONFIGURE_MEM_SLOTS',
    quiesce: 'device',
  },
  SET_STATUS: { id: 39, payload: 'u64', feature: 'STATUS', quiesce: 'device' },
  GET_STATUS: { id: 40, payload: 'none', feature: 'STATUS', reply: payload('u64') },
  GET_SHARED_OBJECT: {
    id: 41,
    payload: 'uuid',
    feature: 'SHARED_OBJECT',
    reply: payload('uuid', fds(0, 1)),
    handledSince: null,
  },
  SET_DEVICE_STATE_FD: {
    id: 42,
    payload: 'deviceState',
    fds: ONE_FD,
    feature: 'DEVICE_STATE',
    reply: payload('u64', fds(0, 1)),
    handledSince: null,
  },
  CHECK_DEVICE_STATE: {
    id: 43,
    payload: 'none',
    feature: 'DEVICE_STATE',
    reply: payload('u64'),
    handledSince: null,
  },
  GET_SHMEM_CONFIG: {
    id: 44,
    payload: 'none',
    feature: 'SHMEM',
    reply: payload('shmemConfig'),
    handledSince: null,
  },
} as const satisfies Record<string, RowSpec>;

/** Requests of the back-end to the front-end, over the socket of SET_BACKEND_REQ_FD. */
export const BACKEND = {
  BACKEND_IOTLB_MSG: { id: 1, payload: 'iotlb', feature: 'BACKEND_REQ' },
  BACKEND_CONFIG_CHANGE_MSG: { id: 2, payload: 'none', feature: 'CONFIG' },
  BACKEND_VRING_HOST_NOTIFIER_MSG: {
    id: 3,
    payload: 'vringArea',
    fds: fds(0, 1),
    feature: 'HOST_NOTIFIER',
    ring: 'any',
  },
  BACKEND_VRING_CALL: { id: 4, payload: 'vringState', feature: 'INBAND_NOTIFICATIONS', ring: 'any' },
  BACKEND_VRING_ERR: { id: 5, payload: 'vringState', feature: 'INBAND_NOTIFICATIONS', ring: 'any' },
  BACKEND_SHARED_OBJECT_ADD: { id: 6, payload: 'uuid', feature: 'SHARED_OBJECT', handledSince: null },
  BACKEND_SHARED_OBJECT_REMOVE: { id: 7, payload: 'uuid', feature: 'SHARED_OBJECT', handledSince: null },
  BACKEND_SHARED_OBJECT_LOOKUP: {
    id: 8,
    payload: 'uuid',
    feature: 'SHARED_OBJECT',
    reply: payload('u64', fds(0, 1)),
    handledSince: null,
  },
  BACKEND_SHMEM_MAP: { id: 9, payload: 'shmemMap', fds: ONE_FD, feature: 'SHMEM', handledSince: null },
  BACKEND_SHMEM_UNMAP: { id: 10, payload: 'shmemMap', feature: 'SHMEM', handledSince: null },
} as const satisfies Record<string, RowSpec>;

/** Who sends the request. */
export type Direction = 'frontend' | 'backend';

export type FrontendRequestName = keyof typeof FRONTEND;
export type BackendRequestName = keyof typeof BACKEND;
export type RequestName = FrontendRequestName | BackendRequestName;

export type Specs = typeof FRONTEND & typeof BACKEND;

/** The decoded payload type of a request. */
export type PayloadOf<N extends RequestName> = PayloadTypes[Specs[N]['payload']];

/** One decoded request. `payload` has the type that its name says. */
export interface MessageOf<N extends RequestName> {
  readonly kind: 'message';
  readonly name: N;
  readonly row: MessageRow;
  /** The sender asked for an answer. */
  readonly needReply: boolean;
  readonly payload: PayloadOf<N>;
  readonly fds: readonly ReceivedFd[];
}

/** Any request of the front-end, discriminated by `name`. */
export type FrontendMessage = { [N in FrontendRequestName]: MessageOf<N> }[FrontendRequestName];
/** Any request of the back-end, discriminated by `name`. */
export type BackendMessage = { [N in BackendRequestName]: MessageOf<N> }[BackendRequestName];

function complete<N extends string>(specs: Record<N, RowSpec>): Readonly<Record<N, MessageRow>> {
  const rows = {} as Record<N, MessageRow>;
  for (const [name, spec] of Object.entries(specs) as [N, RowSpec][]) {
    rows[name] = {
      name,
      fds: NO_FDS,
      feature: undefined,
      phase: 'connected',
      ring: 'none',
      quiesce: 'none',
      reply: { kind: 'ack' },
      handledSince: '0.1',
      ...spec,
    };
  }
  return rows;
}

/** Rows of front-end requests, by name. */
export const FRONTEND_REQUESTS: Readonly<Record<FrontendRequestName, MessageRow>> = complete(FRONTEND);
/** Rows of back-end requests, by name. */
export const BACKEND_REQUESTS: Readonly<Record<BackendRequestName, MessageRow>> = complete(BACKEND);

const byId = (rows: Readonly<Record<string, MessageRow>>): ReadonlyMap<number, MessageRow> => {
  return new Map(Object.values(rows).map((row) => [row.id, row]));
};
const BY_ID: Readonly<Record<Direction, ReadonlyMap<number, MessageRow>>> = {
  frontend: byId(FRONTEND_REQUESTS),
  backend: byId(BACKEND_REQUESTS),
};

/** The row of a request number, or undefined for a number nobody has given a meaning. */
export function rowById(direction: Direction, id: number): MessageRow | undefined {
  return BY_ID[direction].get(id);
}

/** The mask of the protocol feature that a row needs; 0 for none. */
export function featureMask(row: MessageRow): bigint {
  return row.feature === undefined ? 0n : ProtocolFeature[row.feature];
}
