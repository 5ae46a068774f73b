// The repository keeps its own rules: what `npm run check` runs, one test per check.
import { CHECKS, format, ROOT } from '@pollwire/tools/check';
import { describe, expect, it } from 'vitest';

describe('repository checks', () => {
  it.for(CHECKS)('$name', async ({ check }, context) => {
    const { violations, skipped } = await check(ROOT);
    if (skipped !== undefined) context.skip(skipped);
    expect(violations.map(format)).toEqual([]);
  });
});
