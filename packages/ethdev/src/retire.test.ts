import { native, SlotClosed } from '@pollwire/native';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Eal } from './eal.js';
import { testEal } from './fixtures/test-eal.js';
import { RetirementHome } from './retire.js';

let eal: Eal;
beforeAll(async () => {
  eal = await testEal();
});
afterAll(() => eal.close());

it('frees at once when nothing runs', () => {
  const freed: number[] = [];
  const home = new RetirementHome(() => []);
  const slot = native.slotAlloc();
  home.slot(slot, () => freed.push(slot));
  expect([freed, home.size]).toEqual([[slot], 0]);
});

it('keeps a slot until every run that was active has ended, not the later ones', () => {
  const active = ['a', 'b'];
  const home = new RetirementHome(() => active);
  const slot = native.slotAlloc();
  native.slotClose(slot, SlotClosed.PORT_STOPPED);
  let freed = false;
  home.slot(slot, () => {
    freed = true;
  });
  home.ended('a');
  home.ended('c');
  expect(freed).toBe(false);
  expect(native.slotAlloc()).not.toBe(slot);
  home.ended('b');
  expect([freed, home.size]).toEqual([true, 0]);
});
