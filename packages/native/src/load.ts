/**
 * Finds the addon, checks that it was built from the same layout as this TypeScript, and exposes it as `native`.
 * The only file that opens a .node file. Nothing is loaded before the first property of `native` is read, so that programs
 * which only parse arguments or print help need no build.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Addon } from './binding.js';
import { PollwireError, toPollwireError } from './errors.js';
import { LAYOUT_HASH } from './layout.gen.js';

export const FLAVOURS = ['release', 'checked', 'asan'] as const;
export type Flavour = (typeof FLAVOURS)[number];

/** Data-path functions: never wrapped, they return counts and do not throw. */
const HOT = new Set<string>([
  'rxBurst',
  'txBurst',
  'forwardBurst',
  'forwardEdited',
  'editBurst',
  'mbufAlloc',
  'mbufAllocBulk',
  'mbufFree',
  'mbufFreeBulk',
  'mbufRead',
  'mbufWrite',
  'mbufAppend',
  'mbufCopy',
  'mbufClone',
  'mbufLinearize',
  'mbufChain',
  'ringEnqueueBurst',
  'ringEnqueueBulk',
  'ringDequeueBurst',
  'ringDequeueBulk',
  'ringCount',
  'tsc',
  'lcoreWait',
  'lcoreWake',
]);

/** The flavour this process uses: POLLWIRE_FLAVOUR, else release. Throws ADDON_FLAVOUR for another word. */
export function flavour(): Flavour {
  const name = process.env.POLLWIRE_FLAVOUR || 'release';
  const known = FLAVOURS.find((f) => f === name);
  if (known === undefined) {
    throw new PollwireError(
      'ADDON_FLAVOUR',
      `POLLWIRE_FLAVOUR=${name} is not one of ${FLAVOURS.join(', ')}.`,
    );
  }
  return known;
}

function addonFile(): string {
  const name = flavour();
  const candidates = [
    new URL(`../prebuilds/${process.platform}-${process.arch}/${name}/pollwire.node`, import.meta.url),
    new URL(`../../../native/build/${name}/pollwire.node`, import.meta.url),
  ].map((url) => fileURLToPath(url));
  const file = candidates.find((path) => existsSync(path));
  if (file !== undefined) return file;
  throw new PollwireError(
    'ADDON_NOT_FOUND',
    `The native addon (flavour ${name}) is not built: no ${candidates[1] as string}. Run \`npm run build:native\`.`,
  );
}

function open(): Addon {
  const file = addonFile();
  let addon: Addon;
  try {
    addon = createRequire(import.meta.url)(file) as Addon;
  } catch (error) {
    throw new PollwireError('ADDON_UNLOADABLE', `Cannot load ${file}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  checkLayout(addon.layoutHash, file);
  return addon;
}

/** Throws LAYOUT_MISMATCH unless `hash` (of the addon in `file`) is the hash these constants were generated with. */
export function checkLayout(hash: string, file: string): void {
  if (hash === LAYOUT_HASH) return;
  throw new PollwireError(
    'LAYOUT_MISMATCH',
    `${file} has memory layout ${hash}, this TypeScript expects ${LAYOUT_HASH}. Run \`npm run build\`.`,
  );
}

type Fn = (...args: unknown[]) => unknown;

/** Same function; what it throws becomes a PollwireError whose stack starts at the TypeScript caller. */
function wrap(fn: Fn): Fn {
  return (...args) => {
    try {
      return fn(...args);
    } catch (error) {
      throw toPollwireError(error);
    }
  };
}

function fill(target: Record<string, unknown>): void {
  const addon = open() as unknown as Record<string, unknown>;
  for (const name of Object.keys(addon)) {
    const value = addon[name];
    target[name] = typeof value === 'function' && !HOT.has(name) ? wrap(value as Fn) : value;
  }
}

/**
 * The addon. Reading the first property loads it (ADDON_NOT_FOUND, ADDON_UNLOADABLE, LAYOUT_MISMATCH); afterwards every function is
 * an own property. Burst functions are the addon's own, all others throw PollwireError.
 */
export const native: Addon = Object.create(
  new Proxy(Object.create(null) as object, {
    get(_target, name, receiver: Record<string, unknown>) {
      if (typeof name === 'symbol' || Object.hasOwn(receiver, 'layoutHash')) return undefined;
      fill(receiver);
      return receiver[name];
    },
  }),
) as Addon;
