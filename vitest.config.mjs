// @ts-check
// Tests run as compiled JavaScript out of dist/: one module graph, the same that Workers and programs see.
// Projects differ in the native flavour and in how long and how parallel they may be.
import { defineConfig } from 'vitest/config';
import { flavourEnv } from './tools/lib/flavours.mjs';

const MINUTE = 60_000;
const PACKAGES = 'packages/*/dist/**/*.test.js';
const CONFORMANCE = [
  'packages/*/dist/**/*.conformance.test.js',
  'test/dist/loopback/**/*.conformance.test.js',
];
/** Folders of test/ that have a project of their own. */
const APART = ['test/dist/interop/**', 'test/dist/perf/**', 'test/dist/soak/**'];

/** A flavour given by hand wins over the one that a project prefers. */
const given = process.env.POLLWIRE_FLAVOUR;

/**
 * @param {string} name
 * @param {number} order projects run one after the other, the quick ones first
 * @param {object} test
 */
const project = (name, order, test) => ({
  extends: /** @type {const} */ (true),
  test: { name, sequence: { groupOrder: order }, ...test },
});

const checked = given === undefined ? flavourEnv('checked') : {};
const release = given === undefined ? flavourEnv('release') : {};

export default defineConfig({
  test: {
    pool: 'forks',
    execArgv: ['--enable-source-maps'],
    // Only the test file itself goes through vitest's transform; what it imports is loaded by Node.
    server: { deps: { external: [/\/dist\/(?!.*\.test\.js$).*\.js$/] } },
    testTimeout: 20_000,
    hookTimeout: 20_000,
    teardownTimeout: 20_000,
    passWithNoTests: true,
    projects: [
      project('unit', 1, { include: [PACKAGES], exclude: CONFORMANCE, env: checked, maxWorkers: 2 }),
      project('native', 2, {
        include: ['test/dist/native/**/*.test.js'],
        testTimeout: 5 * MINUTE,
        hookTimeout: 25 * MINUTE,
        maxWorkers: 1,
      }),
      project('conformance', 3, { include: CONFORMANCE, env: checked, testTimeout: MINUTE, maxWorkers: 1 }),
      project('asan', 4, {
        include: [...CONFORMANCE, 'test/dist/robustness/**/*.test.js'],
        env: flavourEnv('asan'),
        testTimeout: 5 * MINUTE,
        hookTimeout: MINUTE,
        maxWorkers: 1,
      }),
      project('system', 5, {
        include: ['test/dist/**/*.test.js'],
        exclude: [...APART, ...CONFORMANCE, 'test/dist/native/**'],
        env: checked,
        testTimeout: 2 * MINUTE,
        hookTimeout: MINUTE,
        maxWorkers: 1,
      }),
      project('interop', 6, {
        include: ['test/dist/interop/**/*.test.js'],
        env: release,
        testTimeout: 10 * MINUTE,
        hookTimeout: 5 * MINUTE,
        maxWorkers: 1,
      }),
    ],
  },
});
