import { expect, it } from 'vitest';
import type { IdleMode } from './idle.js';
import { IdleStrategy } from './idle.js';

/** Records sleeps; `kicks` says which of them a kick ended. */
function make(mode: IdleMode, kickable: boolean, kicks: readonly number[] = []) {
  const sleeps: number[] = [];
  const idle = new IdleStrategy(mode, {
    slots: [1],
    kickable,
    sleep: (_slots, microseconds) => {
      sleeps.push(microseconds);
      return kicks.includes(sleeps.length) ? 1 : 0;
    },
  });
  const turns = (count: number, work = 0) => {
    for (let i = 0; i < count; i++) idle.after(work);
  };
  return { sleeps, turns };
}

it('spin never sleeps', () => {
  const { sleeps, turns } = make('spin', true);
  turns(100_000);
  expect(sleeps).toEqual([]);
});

it('adaptive sleeps after 10000 empty turns, longer each time', () => {
  const { sleeps, turns } = make('adaptive', true);
  turns(10_000);
  expect(sleeps).toEqual([]);
  turns(3);
  expect(sleeps).toEqual([50, 100, 200]);
});

it('sleeps at most 100 ms when every queue can be kicked, 1 ms otherwise', () => {
  const kickable = make('interrupt', true);
  kickable.turns(40);
  expect(Math.max(...kickable.sleeps)).toBe(100_000);
  const blind = make('interrupt', false);
  blind.turns(40);
  expect(Math.max(...blind.sleeps)).toBe(1000);
});

it('starts again after work', () => {
  const { sleeps, turns } = make('interrupt', true);
  turns(5);
  turns(1, 32);
  turns(3);
  expect(sleeps).toEqual([50, 100, 200, 50]);
});

it('starts again after a kick', () => {
  const { sleeps, turns } = make('interrupt', true, [2]);
  turns(4);
  expect(sleeps).toEqual([50, 100]);
  turns(3);
  expect(sleeps).toEqual([50, 100, 50]);
});
