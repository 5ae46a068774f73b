// @ts-check
// The build flavours of the native tree: what differs between them, where each one lies, and which
// environment a Node process needs to load it. Used by native.mjs and vitest.config.mjs.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { NATIVE_DIR } from './paths.mjs';

/**
 * @typedef {'release' | 'checked' | 'asan'} Flavour
 * @typedef {{ config: 'Release' | 'RelWithDebInfo', tests: boolean }} FlavourBuild CMake build type; with C++ tests?
 */

/** @type {Record<Flavour, FlavourBuild>} */
export const FLAVOURS = {
  release: { config: 'Release', tests: false },
  checked: { config: 'RelWithDebInfo', tests: true },
  asan: { config: 'RelWithDebInfo', tests: true },
};

/**
 * @param {string} name
 * @returns {name is Flavour}
 */
export function isFlavour(name) {
  return Object.hasOwn(FLAVOURS, name);
}

/** @param {Flavour} flavour */
export function flavourDir(flavour) {
  return join(NATIVE_DIR, 'build', flavour);
}

/** @param {Flavour} flavour */
export function addonPath(flavour) {
  return join(flavourDir(flavour), 'pollwire.node');
}

/**
 * Environment for a Node process that loads this flavour. Node itself is not instrumented, so the asan flavour
 * needs the sanitizer runtime preloaded, and leaks that belong to Node are not reported.
 * @param {Flavour} flavour
 * @returns {Record<string, string>}
 */
export function flavourEnv(flavour) {
  if (flavour !== 'asan') return { POLLWIRE_FLAVOUR: flavour };
  return {
    POLLWIRE_FLAVOUR: flavour,
    LD_PRELOAD: [runtimeLibrary('libasan.so'), runtimeLibrary('libubsan.so')].filter(Boolean).join(' '),
    ASAN_OPTIONS:
      'detect_leaks=0:abort_on_error=1:halt_on_error=1:handle_segv=1:detect_stack_use_after_return=0',
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
  };
}

/**
 * Path of a sanitizer runtime of the compiler that builds the addon, '' when it has none.
 * @param {string} name
 */
function runtimeLibrary(name) {
  const compiler = process.env.CXX ?? 'g++';
  try {
    const path = execFileSync(compiler, [`-print-file-name=${name}`], { stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim();
    return path.startsWith('/') ? path : '';
  } catch {
    return '';
  }
}
