/** The shape of the table of hostile inputs (rows.ts). Read by the harnesses, the score and the documentation page. */

/** Which part of the system the input reaches. */
export const COMPONENTS = {
  SOCK: 'the socket',
  MSG: 'messages and framing',
  NEG: 'negotiation and state order',
  MEM: 'the memory table',
  VQ: 'ring set-up',
  SPL: 'split ring, device side',
  PKD: 'packed ring, device side',
  NET: 'packet header, offloads, frames',
  CTL: 'the control queue',
  LOG: 'the dirty log',
  INF: 'the in-flight region',
  IOT: 'the IOTLB',
  PCP: 'postcopy',
  DRV: 'our driver, ring side',
  FE: 'our driver, protocol side',
  LIFE: 'the life of a port',
} as const;
export type Component = keyof typeof COMPONENTS;

export type Format = 'split' | 'packed';
/** Who we are: `device` faces a hostile front-end, `driver` a hostile back-end. */
export type Side = 'device' | 'driver';

/** What may follow. Never allowed, in any row: a crash, a hang, a leak, an access outside the shared memory. */
export const OUTCOMES = {
  close: 'the connection is closed with one clear line; the listener or the reconnection goes on',
  nack: 'refused with an answer, if one was asked for; the connection goes on',
  drop: 'the packet or buffer is dropped and counted',
  skip: 'a ring slot that cannot be given back is passed over and counted',
  break: 'the ring stops with one event and a reason; it works again once it is set up anew',
  ignore: 'nothing comes of it',
  serve: 'it is legal, and works',
  refuse: 'the call of the program fails with a clear error',
} as const;
export type Outcome = keyof typeof OUTCOMES;

/** Where a row is proven, beside the cases of the socket harness, which name their rows themselves. */
export interface Proof {
  /** cpp: GoogleTest names, `*` for any. unit: part of the full name of a TypeScript test. */
  readonly kind: 'cpp' | 'unit';
  /** unit: the test's file, without `.ts`. */
  readonly file: string;
  readonly name: string;
  /** Rings for which it counts. */
  readonly formats: readonly Format[];
}

export interface Row {
  readonly id: number;
  readonly component: Component;
  /** The situation. */
  readonly setup: string;
  /** What the peer does. */
  readonly action: string;
  readonly allowed: readonly Outcome[];
  /** Cells to which it applies. */
  readonly sides: readonly Side[];
  readonly formats: readonly Format[];
  readonly proofs: readonly Proof[];
  /** What is not tried yet, in words; '' when nothing. */
  readonly open: string;
  /** No peer can reach it today, because nothing of the kind is offered: it does not count. */
  readonly offered: boolean;
}
