import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { moduleUrl } from './module-path.js';

it.each([
  ['/a/b.js', 'file:///a/b.js'],
  ['./my-driver.js', pathToFileURL('my-driver.js').href],
  ['../up.js', pathToFileURL('../up.js').href],
  ['my-driver.mjs', pathToFileURL('my-driver.mjs').href],
  ['my-package', 'my-package'],
  ['@scope/package/driver.js', '@scope/package/driver.js'],
  ['data:text/javascript,1', 'data:text/javascript,1'],
  ['file:///a.js', 'file:///a.js'],
])('%s', (given, url) => {
  expect(moduleUrl(given)).toBe(url);
});

it('passes URLs through', () => {
  expect(moduleUrl(new URL('file:///x.js'))).toBe('file:///x.js');
});
