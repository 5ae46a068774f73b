// @ts-check
// Include arrows between the folders of native/src point one way. The table is section 2 of the architecture.
import { existsSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { nativeIncludes } from './imports.mjs';

const SRC = 'native/src';

/**
 * Folder → folders that it may include, directly. What those may include, it may too.
 * @type {Record<string, string[]>}
 */
const ARROWS = {
  base: [],
  sys: ['base'],
  mem: ['sys'],
  ring: ['base'],
  mbuf: ['mem', 'ring'],
  net: ['mbuf'],
  virtqueue: ['base'],
  guest: ['sys'],
  offload: ['mbuf', 'net', 'virtqueue'],
  ethdev: ['mbuf'],
  pmd: ['ethdev', 'offload'],
  vhost: ['ethdev', 'virtqueue', 'guest', 'offload'],
  virtio: ['ethdev', 'virtqueue', 'offload'],
};

/** offload sees the bytes of a ring, never its rules. */
const OFFLOAD_MAY_SEE = /^virtqueue\/(layout_\w+|net_hdr|features)\.hpp$/;

export const name = 'direction-native';

/** @param {string} root @returns {Promise<import('./violation.mjs').Result>} */
export async function check(root) {
  /** @type {import('./violation.mjs').Violation[]} */
  const violations = [];
  for (const { file, line, name: included } of nativeIncludes(root, [SRC])) {
    const from = file.slice(SRC.length + 1);
    const to = resolve(root, from, included);
    if (to === undefined) continue;
    const message = wrong(from, to);
    if (message !== undefined) {
      violations.push({
        file,
        line,
        message,
        remedy: 'move what both need below both (docs/architecture.md, section 2)',
      });
    }
  }
  return { violations };
}

/**
 * Path below native/src that an include means; undefined for system and third-party headers.
 * @param {string} root
 * @param {string} from
 * @param {string} included
 */
function resolve(root, from, included) {
  const beside = normalize(join(from, '..', included));
  return [included, beside].find((path) => existsSync(join(root, SRC, path)));
}

/**
 * @param {string} from including file below native/src
 * @param {string} to included file below native/src
 * @returns {string | undefined} what is wrong
 */
function wrong(from, to) {
  const [source = '', target = ''] = [from, to].map((path) => path.split('/')[0]);
  if (source === target || source === 'binding') return undefined;
  if (ARROWS[source] === undefined) return `native/src/${source} is not in the table of folders`;
  if (!reachable(source).has(target)) return `${source}/ must not include ${target}/ (${to})`;
  if (source === 'offload' && target === 'virtqueue' && !OFFLOAD_MAY_SEE.test(to)) {
    return `offload/ may include only layouts of virtqueue/, not ${to}`;
  }
  return undefined;
}

/**
 * @param {string} folder
 * @returns {Set<string>}
 */
function reachable(folder) {
  const direct = ARROWS[folder] ?? [];
  return new Set([...direct, ...direct.flatMap((below) => [...reachable(below)])]);
}
