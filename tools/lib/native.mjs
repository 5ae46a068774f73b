// @ts-check
// Builds a flavour of the addon with cmake-js into native/build/<flavour>/. Called by setup.mjs.
import { existsSync, rmSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { listFiles } from './files.mjs';
import { clearStamp, fingerprint, readStamp, writeStamp } from './fingerprint.mjs';
import { addonPath, FLAVOURS, flavourDir } from './flavours.mjs';
import { NATIVE_DIR, ROOT, readJson } from './paths.mjs';
import { step } from './progress.mjs';
import { checkBuildTools } from './requirements.mjs';
import { run } from './run.mjs';
import { v8Headers } from './v8-headers.mjs';

/** @typedef {import('./flavours.mjs').Flavour} Flavour */

const CMAKE_JS = join(NATIVE_DIR, 'node_modules/cmake-js/bin/cmake-js');
const GOOGLE_TEST = '/usr/include/gtest/gtest.h';
const BYTES_PER_COMPILER = 1 << 30;

/** @param {Flavour} flavour */
const stampPath = (flavour) => join(flavourDir(flavour), '.fingerprint');

/**
 * What a flavour depends on, hashed. C++ tests count only where they are built.
 * @param {Flavour} flavour
 */
function wanted(flavour) {
  const { tests, config } = FLAVOURS[flavour];
  const folders = ['native/CMakeLists.txt', 'native/cmake', 'native/package.json', 'native/src'];
  if (tests) folders.push('native/test');
  const versions = ['cmake-js', 'node-addon-api', 'node-api-headers'].map(
    (name) => readJson(join(NATIVE_DIR, 'node_modules', name, 'package.json')).version,
  );
  const files = folders.flatMap((folder) => listFiles(ROOT, folder));
  // Installing GoogleTest makes the flavours with tests stale.
  const googleTest = tests && existsSync(GOOGLE_TEST) ? 'gtest' : '';
  return fingerprint(ROOT, files, [
    flavour,
    config,
    String(process.env.CXX),
    googleTest,
    v8Headers() && process.version,
    ...versions,
  ]);
}

/** @param {Flavour} flavour */
export function isBuilt(flavour) {
  return existsSync(addonPath(flavour)) && readStamp(stampPath(flavour)) === wanted(flavour);
}

/**
 * @param {Flavour} flavour
 * @throws {import('./run.mjs').CommandFailed}
 */
export async function buildNative(flavour) {
  checkBuildTools();
  await step('native', `building ${flavour}`, async (tick) => {
    const before = wanted(flavour);
    clearStamp(stampPath(flavour));
    await configure(flavour);
    await run(process.execPath, cmakeJs(flavour, 'build', '--parallel', String(jobs())), {
      cwd: NATIVE_DIR,
      onLine: (line) => {
        const progress = /^\[[\d/ %]+\]/.exec(line)?.[0];
        if (progress !== undefined) tick(progress);
      },
    });
    if (!existsSync(addonPath(flavour))) throw new Error(`The build did not produce ${addonPath(flavour)}.`);
    // Taken before: a source that changed during the build leaves the step stale.
    writeStamp(stampPath(flavour), before);
  });
}

/**
 * Configures each time, so that new source files are seen. A build folder that another generator or compiler
 * made, or that was moved, cannot be configured again and is made anew.
 * @param {Flavour} flavour
 */
async function configure(flavour) {
  const command = cmakeJs(flavour, 'configure');
  const folder = flavourDir(flavour);
  const isNew = !existsSync(join(folder, 'CMakeCache.txt'));
  try {
    await run(process.execPath, command, { cwd: NATIVE_DIR });
  } catch (error) {
    if (isNew) throw error;
    rmSync(folder, { recursive: true, force: true });
    await run(process.execPath, command, { cwd: NATIVE_DIR });
  }
}

/**
 * @param {Flavour} flavour
 * @param {string} action
 * @param {string[]} more
 */
function cmakeJs(flavour, action, ...more) {
  const { config, tests } = FLAVOURS[flavour];
  const folder = flavourDir(flavour);
  return [
    CMAKE_JS,
    action,
    '--directory',
    NATIVE_DIR,
    '--out',
    folder,
    '--config',
    config,
    `--CDCMAKE_LIBRARY_OUTPUT_DIRECTORY=${folder}`,
    `--CDCMAKE_RUNTIME_OUTPUT_DIRECTORY=${folder}`,
    `--CDPOLLWIRE_FLAVOUR=${flavour}`,
    `--CDPOLLWIRE_TESTS=${tests ? 'ON' : 'OFF'}`,
    '--CDCMAKE_EXPORT_COMPILE_COMMANDS=ON',
    `--CDPOLLWIRE_V8_INCLUDE=${v8Headers()}`,
    ...more,
  ];
}

/** Compilers at once: one per CPU, as far as memory goes. */
function jobs() {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(totalmem() / BYTES_PER_COMPILER)));
}
