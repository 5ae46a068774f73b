// @ts-check
// The native programs of the benchmark (native/bench): built with CMake when they are first asked for, in the flags of the release,
// apart from the addon.
import { join } from 'node:path';
import { NATIVE_DIR } from '../lib/paths.mjs';
import { step } from '../lib/progress.mjs';
import { checkBuildTools } from '../lib/requirements.mjs';
import { run } from '../lib/run.mjs';

const FOLDER = join(NATIVE_DIR, 'build', 'bench');
/** @type {Map<string, Promise<string>>} */
const built = new Map();

/**
 * @param {'limit' | 'gaps'} name
 * @returns {Promise<string>} path of the program
 */
export function nativeProgram(name) {
  let path = built.get(name);
  if (path === undefined) {
    path = build(name);
    built.set(name, path);
  }
  return path;
}

/** @param {string} name */
async function build(name) {
  checkBuildTools();
  const target = `bench_${name}`;
  await step('native', `building ${target}`, async () => {
    const options = ['-DCMAKE_BUILD_TYPE=Release', '-DPOLLWIRE_FLAVOUR=release', '-DPOLLWIRE_TESTS=OFF'];
    await run('cmake', ['-S', NATIVE_DIR, '-B', FOLDER, ...options]);
    await run('cmake', ['--build', FOLDER, '--target', target]);
  });
  return join(FOLDER, target);
}

/**
 * Runs it; each line that it prints is one value.
 * @param {'limit' | 'gaps'} name
 * @param {string[]} args
 * @returns {Promise<any[]>}
 */
export async function runNative(name, args) {
  const output = await run(await nativeProgram(name), args);
  return output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
}
