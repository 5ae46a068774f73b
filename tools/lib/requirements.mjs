// @ts-check
// What the machine must bring. Each thing that is missing becomes one line that names it and its remedy.
// `checkSystem` is cheap and runs at every start; `checkBuildTools` runs when something must be compiled.
import { spawnSync } from 'node:child_process';

const OLDEST_NODE = [20, 19];
const OLDEST_CMAKE = [3, 20];

// Uses what the core uses beyond C++17, so that a compiler that only takes the flag is found out here.
const PROBE = `
#include <atomic>
#include <concepts>
#include <span>
template <std::unsigned_integral T> T load(T& v) { return std::atomic_ref<T>(v).load(std::memory_order_acquire); }
int main() { unsigned v = 0; std::span<unsigned, 1> s(&v, 1); return static_cast<int>(load(s[0])); }
`;

/** Something that this machine lacks; the message is for the user as it stands. */
export class Unmet extends Error {}

/** @throws {Unmet} */
export function checkSystem() {
  if (process.platform !== 'linux') {
    throw new Unmet(
      `Pollwire runs on Linux only, and this is ${process.platform}: use a Linux machine or container.`,
    );
  }
  if (isOlder(process.versions.node, OLDEST_NODE)) {
    throw new Unmet(
      `Node ${process.versions.node} is too old: install Node ${OLDEST_NODE.join('.')} or newer (nodejs.org, or your package manager).`,
    );
  }
}

/** @throws {Unmet} with one line per missing tool */
export function checkBuildTools() {
  const missing = [checkCmake(), checkMake(), checkCompiler()].filter((line) => line !== undefined);
  if (missing.length > 0) throw new Unmet(missing.join('\n'));
}

function checkCmake() {
  const version = /cmake version (\S+)/.exec(output('cmake', ['--version']) ?? '')?.[1];
  if (version === undefined)
    return `cmake not found: install CMake ${OLDEST_CMAKE.join('.')} or newer (apt-get install cmake).`;
  if (isOlder(version, OLDEST_CMAKE)) {
    return `cmake ${version} is too old: install CMake ${OLDEST_CMAKE.join('.')} or newer (apt-get install cmake).`;
  }
  return undefined;
}

function checkMake() {
  const found = output('ninja', ['--version']) ?? output('make', ['--version']);
  return found === undefined
    ? 'Neither ninja nor make found: install one (apt-get install ninja-build).'
    : undefined;
}

function checkCompiler() {
  const compiler =
    process.env.CXX ?? ['g++', 'clang++'].find((name) => output(name, ['--version']) !== undefined);
  const remedy = 'install GCC 12 or Clang 16 or newer (apt-get install g++), or set CXX.';
  if (compiler === undefined) return `No C++ compiler found: ${remedy}`;
  const probe = spawnSync(compiler, ['-std=c++20', '-fsyntax-only', '-x', 'c++', '-'], { input: PROBE });
  if (probe.error) return `The C++ compiler ${compiler} cannot be run (${probe.error.message}): ${remedy}`;
  if (probe.status !== 0) return `The C++ compiler ${compiler} does not compile C++20: ${remedy}`;
  return undefined;
}

/**
 * @param {string} command
 * @param {string[]} args
 * @returns {string | undefined} standard output; undefined when it cannot run or fails
 */
function output(command, args) {
  const result = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return result.error || result.status !== 0 ? undefined : result.stdout;
}

/**
 * @param {string} version
 * @param {number[]} oldest
 */
export function isOlder(version, oldest) {
  const parts = version.split('.').map((part) => Number.parseInt(part, 10));
  for (const [index, wanted] of oldest.entries()) {
    const part = parts[index] ?? 0;
    if (part !== wanted) return part < wanted;
  }
  return false;
}
