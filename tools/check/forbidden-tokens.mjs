// @ts-check
// Words that must not appear, and where they may: memory orders, tests that switch on a driver's name, the old
// names of roles, and a lockfile that only works with one registry.
import { filesIn, isTestFile, readText } from './violation.mjs';

const DRIVERS = '(?:null|ring|vhost|virtio(?:_user)?|pcap|tap|af_packet)';
const PREFIXED = `['"\`](?:net|eth)_${DRIVERS}\\d*['"\`]`;
const BARE = `['"\`](?:(?:net|eth)_)?${DRIVERS}['"\`]`;
const compared = (/** @type {string} */ literal) =>
  new RegExp(`[=!]==?\\s*${literal}|${literal}\\s*[=!]==?|\\bcase\\s+${literal}|\\.startsWith\\(${literal}`);

const SCRIPTS = /\.(ts|mjs)$/;
const NATIVE = /\.(cpp|hpp|h)$/;
const TEXTS = /\.(ts|mjs|cpp|hpp|h|def|md|json|yaml|txt|sh|cmake)$|(^|\/)(CMakeLists\.txt|run)$/;
const EVERYWHERE = [''];

/**
 * @typedef {object} Rule
 * @property {string[]} folders
 * @property {RegExp} files
 * @property {(file: string) => boolean} [exempt]
 * @property {RegExp} token
 * @property {boolean} [inComments] comments count as well
 * @property {string} message
 * @property {string} remedy
 */

/**
 * The checks and their tests have to write what they look for.
 * @param {string} file
 */
const isSpecimen = (file) => /^(tools\/check|test\/checks)\//.test(file);

/** @type {Rule[]} */
const RULES = [
  {
    folders: ['native/src'],
    files: NATIVE,
    exempt: (file) => /^native\/src\/(base\/shared\.hpp$|ring\/|virtqueue\/|ethdev\/)/.test(file),
    token: /\bmemory_order/,
    message: 'memory order outside base/shared.hpp, ring/, virtqueue/ and ethdev/',
    remedy: 'call loadAcquire, storeRelease or their kin of base/shared.hpp',
  },
  {
    folders: ['test', 'packages'],
    files: SCRIPTS,
    exempt: (file) => !isTestFile(file) || isSpecimen(file),
    token: compared(BARE),
    message: "a test compares a driver's name",
    remedy: "ask the driver's capabilities instead",
  },
  {
    folders: ['packages', 'examples'],
    files: SCRIPTS,
    exempt: isTestFile,
    token: compared(PREFIXED),
    message: "a driver's name is compared",
    remedy: 'put what differs into the driver literal: limits, capabilities or a method',
  },
  {
    folders: EVERYWHERE,
    files: TEXTS,
    exempt: (file) => isSpecimen(file) || file === 'pnpm-lock.yaml',
    token: /(?<!bus[ _-]?)(?<![a-z])(master|slave)(?![a-z])/i,
    inComments: true,
    message: 'old name of a role',
    remedy: 'write frontend and backend, driver and device, or main',
  },
  {
    folders: ['pnpm-lock.yaml'],
    files: /\.yaml$/,
    token: /\btarball:/,
    message: 'the lockfile names a host',
    remedy: 'install with the default registry settings and commit the lockfile again',
  },
];

export const name = 'forbidden-tokens';

/** @param {string} root @returns {Promise<import('./violation.mjs').Result>} */
export async function check(root) {
  return { violations: RULES.flatMap((rule) => apply(root, rule)) };
}

/**
 * @param {string} root
 * @param {Rule} rule
 */
function apply(root, { folders, files, exempt, token, inComments, message, remedy }) {
  /** @type {import('./violation.mjs').Violation[]} */
  const violations = [];
  for (const file of filesIn(root, folders, files)) {
    if (exempt?.(file)) continue;
    for (const [index, text] of readText(root, file).split('\n').entries()) {
      const found = token.exec(inComments ? text : withoutComment(text))?.[0];
      if (found !== undefined)
        violations.push({ file, line: index + 1, message: `${message}: ${found.trim()}`, remedy });
    }
  }
  return violations;
}

/**
 * A line without its comment, near enough for tokens: a lone `*` line is part of a block.
 * @param {string} text
 */
function withoutComment(text) {
  return /^\s*(\*|\/\*)/.test(text) ? '' : text.replace(/(^|\s)\/\/.*$/, '');
}
