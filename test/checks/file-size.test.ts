// The cap on file length, its edge, and the marker that lifts it.
import { check } from '@pollwire/tools/check/file-size';
import { describe, expect, it } from 'vitest';
import { violationsIn } from './fixture.js';

const lines = (count: number) => '//\n'.repeat(count);
const FILE = 'packages/ethdev/src/x.ts';

describe('file-size', () => {
  it.each([
    ['500 lines', { [FILE]: lines(500) }],
    ['a table that says why', { [FILE]: `// file-size-exempt: one row per message\n${lines(600)}` }],
    ['a generated file', { 'packages/native/src/layout.gen.ts': lines(600) }],
  ])('accepts %s', async (_what, files) => {
    expect(await violationsIn(check, files)).toEqual([]);
  });

  it.each([
    ['501 lines', lines(501), '501 lines'],
    ['a marker without a reason', `// file-size-exempt:\n${lines(3)}`, 'without a reason'],
    ['a marker far down', `${lines(100)}// file-size-exempt: late\n${lines(500)}`, '601 lines'],
  ])('refuses %s', async (_what, text, message) => {
    const found = await violationsIn(check, { [FILE]: text });
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(message);
  });
});
