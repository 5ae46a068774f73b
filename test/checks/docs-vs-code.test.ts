// Documents that name what is not there.
import { check } from '@pollwire/tools/check/docs-vs-code';
import { describe, expect, it } from 'vitest';
import { violationsIn } from './fixture.js';

const TREE = {
  'package.json': '{ "scripts": { "build": "x" } }',
  'packages/vhost/src/index.ts': '',
  'docs/a.md': '',
};

describe('docs-vs-code', () => {
  it('accepts what exists, and addresses of elsewhere', async () => {
    const found = await violationsIn(check, {
      ...TREE,
      'README.md': 'npm run build, [a](docs/a.md#top), [b](#here), [c](https://example.org/x)\n',
      'packages/vhost/README.md': '`src/index.ts`\n',
    });
    expect(found).toEqual([]);
  });

  it.each([
    ['README.md', 'npm run nothing', 'no script "nothing"'],
    ['docs/b.md', '[gone](gone.md)', 'no file gone.md'],
    ['packages/vhost/README.md', '| `src/gone.ts` | x |', 'no file src/gone.ts'],
  ])('refuses in %s: %s', async (file, text, message) => {
    const found = await violationsIn(check, { ...TREE, [file]: `#\n${text}\n` });
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`${file}:2: ${message}`);
  });
});
