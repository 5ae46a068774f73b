/**
 * The life of a port as data: which call is allowed in which state, and what to do otherwise. Called first by every method of Port
 * that depends on it.
 *
 *   attached → configured → started ⇄ stopped → closed      (configure again from stopped; close from anything but started)
 */
import { PollwireError } from '@pollwire/native';

export const PORT_STATES = ['attached', 'configured', 'started', 'stopped', 'closed'] as const;
export type PortState = (typeof PORT_STATES)[number];

interface Move {
  /** States in which the call is allowed. */
  readonly from: readonly PortState[];
  /** State afterwards; absent when it does not change. */
  readonly to?: PortState;
}

/** Every call that depends on the state. */
export const PORT_MOVES = {
  configure: { from: ['attached', 'configured', 'stopped'], to: 'configured' },
  setupRxQueue: { from: ['configured', 'stopped'] },
  setupTxQueue: { from: ['configured', 'stopped'] },
  start: { from: ['configured', 'stopped'], to: 'started' },
  stop: { from: ['started'], to: 'stopped' },
  reset: { from: ['attached', 'configured', 'stopped'], to: 'attached' },
  close: { from: ['attached', 'configured', 'stopped'], to: 'closed' },
  setMtu: { from: ['attached', 'configured', 'started', 'stopped'] },
  setPromiscuous: { from: ['attached', 'configured', 'started', 'stopped'] },
  setAllMulticast: { from: ['attached', 'configured', 'started', 'stopped'] },
  setMac: { from: ['attached', 'configured', 'started', 'stopped'] },
  addMac: { from: ['attached', 'configured', 'started', 'stopped'] },
  removeMac: { from: ['attached', 'configured', 'started', 'stopped'] },
  setMulticastList: { from: ['attached', 'configured', 'started', 'stopped'] },
  vlanFilter: { from: ['attached', 'configured', 'started', 'stopped'] },
  setVlanOffload: { from: ['configured', 'started', 'stopped'] },
  setLink: { from: ['attached', 'configured', 'started', 'stopped'] },
  rxQueue: { from: ['configured', 'started', 'stopped'] },
  txQueue: { from: ['configured', 'started', 'stopped'] },
} as const satisfies Record<string, Move>;

export type PortMove = keyof typeof PORT_MOVES;

const REMEDY: Readonly<Record<PortState, string>> = {
  attached: 'configure it first',
  configured: 'start it first',
  started: 'stop it first',
  stopped: 'start it first',
  closed: 'attach the device again',
};

/** Allowed? */
export function canMove(state: PortState, move: PortMove): boolean {
  return (PORT_MOVES[move].from as readonly PortState[]).includes(state);
}

/** Throws PORT_STATE naming port, call, state and remedy unless `move` is allowed. Returns the state afterwards. */
export function nextState(port: { id: number; name: string; state: PortState }, move: PortMove): PortState {
  const { from, to }: Move = PORT_MOVES[move];
  if (from.includes(port.state)) return to ?? port.state;
  throw new PollwireError(
    'PORT_STATE',
    `Port ${port.id} (${port.name}) is ${port.state}: ${move} is not possible; ${REMEDY[port.state]}.`,
    { details: { port: port.id, state: port.state, move } },
  );
}
