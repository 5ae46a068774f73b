import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { L, LAYOUT_HASH } from './layout.gen.js';
import { checkLayout, flavour, native } from './load.js';

const index = new URL('./index.js', import.meta.url).href;

/** Output of a fresh process that runs `code` with the given flavour. */
function fresh(code: string, name: string): string {
  const program = `const m = await import(${JSON.stringify(index)}); ${code}`;
  const env = { ...process.env, POLLWIRE_FLAVOUR: name };
  return execFileSync(process.execPath, ['--input-type=module', '-e', program], { env }).toString().trim();
}

it('has the layout that the constants were generated from', () => {
  expect(native.layoutHash).toBe(LAYOUT_HASH);
  expect(native.layout()).toEqual({ ...L });
});

it('is the flavour that was asked for', () => {
  expect(native.flavour).toBe(flavour());
});

it('refuses an addon with another layout and says what to run', () => {
  expect(() => checkLayout('0123', '/x/addon')).toThrow(
    expect.objectContaining({
      code: 'LAYOUT_MISMATCH',
      message: `/x/addon has memory layout 0123, this TypeScript expects ${LAYOUT_HASH}. Run \`npm run build\`.`,
    }),
  );
});

it('loads nothing before the first use', () => {
  const code =
    'console.log(Object.keys(m.native).length); m.native.usableCpus(); console.log(Object.keys(m.native).length > 50)';
  expect(fresh(code, flavour())).toBe('0\ntrue');
});

it('names an unknown flavour', () => {
  const code = 'try { m.native.tscHz() } catch (e) { console.log(e.code, e.message) }';
  expect(fresh(code, 'fast')).toBe(
    'ADDON_FLAVOUR POLLWIRE_FLAVOUR=fast is not one of release, checked, asan.',
  );
});

it('turns what the addon throws into its own error class', () => {
  const code = `try { m.native.poolInfo(9999) } catch (e) { console.log(e instanceof m.PollwireError, e.code, e.errno) }`;
  expect(fresh(code, flavour())).toBe('true NOT_FOUND -2');
});
