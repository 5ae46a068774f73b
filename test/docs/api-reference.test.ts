/** The API reference can be made from the docstrings without a warning: every type and link that they name is documented too. */
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { repoRoot } from '../harness/paths.js';
import { Scope } from '../harness/scope.js';

let scope: Scope;

beforeEach(() => {
  scope = new Scope();
});

afterEach(() => scope.close());

it('typedoc reads every package without a warning', { timeout: 300_000 }, async () => {
  const typedoc = scope.start({
    name: 'typedoc',
    command: process.execPath,
    args: [join(repoRoot, 'node_modules/typedoc/bin/typedoc'), '--emit', 'none'],
    cwd: repoRoot,
  });
  const { code } = await typedoc.exited;
  expect(typedoc.text).not.toMatch(/\[warning\]/);
  expect(code, typedoc.text).toBe(0);
});
