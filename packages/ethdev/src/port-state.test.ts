import { describe, expect, it } from 'vitest';
import type { PortMove, PortState } from './port-state.js';
import { canMove, nextState, PORT_MOVES, PORT_STATES } from './port-state.js';

/** What is allowed, written out a second time: '.' forbidden, otherwise the initial of the state afterwards (= when unchanged). */
const TABLE: Record<PortMove, string> = {
  //             attached configured started stopped closed
  configure: 'c c . c .',
  setupRxQueue: '. = . = .',
  setupTxQueue: '. = . = .',
  start: '. s . s .',
  stop: '. . p . .',
  reset: 'a a . a .',
  close: 'x x . x .',
  setMtu: '= = = = .',
  setPromiscuous: '= = = = .',
  setAllMulticast: '= = = = .',
  setMac: '= = = = .',
  addMac: '= = = = .',
  removeMac: '= = = = .',
  setMulticastList: '= = = = .',
  vlanFilter: '= = = = .',
  setVlanOffload: '. = = = .',
  setLink: '= = = = .',
  rxQueue: '. = = = .',
  txQueue: '. = = = .',
};
const LETTER: Record<string, PortState> = {
  a: 'attached',
  c: 'configured',
  s: 'started',
  p: 'stopped',
  x: 'closed',
};

const moves = Object.keys(PORT_MOVES) as PortMove[];
const pairs = moves.flatMap((move) => PORT_STATES.map((state) => [move, state] as const));

it('covers every move', () => {
  expect(Object.keys(TABLE).sort()).toEqual([...moves].sort());
});

const mark = (move: PortMove, state: PortState) =>
  TABLE[move].split(' ')[PORT_STATES.indexOf(state)] as string;
const port = (state: PortState) => ({ id: 3, name: 'net_null3', state });

describe('refused, with state and remedy', () => {
  it.each(pairs.filter(([move, state]) => mark(move, state) === '.'))('%s when %s', (move, state) => {
    expect(canMove(state, move)).toBe(false);
    expect(() => nextState(port(state), move)).toThrow(
      expect.objectContaining({
        code: 'PORT_STATE',
        message: expect.stringMatching(
          new RegExp(`^Port 3 \\(net_null3\\) is ${state}: ${move} is not possible; .+\\.$`),
        ),
      }),
    );
  });
});

describe('allowed', () => {
  it.each(pairs.filter(([move, state]) => mark(move, state) !== '.'))('%s when %s', (move, state) => {
    const letter = mark(move, state);
    expect(canMove(state, move)).toBe(true);
    expect(nextState(port(state), move)).toBe(letter === '=' ? state : LETTER[letter]);
  });
});

it('reports a busy port as EBUSY', () => {
  expect(() => nextState({ id: 0, name: 'n', state: 'started' }, 'configure')).toThrow(
    expect.objectContaining({ errno: -16 }),
  );
});
