// @ts-check
// No source file over 500 lines. Generated files are exempt, and tables that say so near their top with a reason.
import { filesIn, readText } from './violation.mjs';

const HARD_CAP = 500;
const MARKER = /file-size-exempt:[ \t]*(\S.*)?/;
const MARKER_WITHIN_LINES = 15;

export const name = 'file-size';

/** @param {string} root @returns {Promise<import('./violation.mjs').Result>} */
export async function check(root) {
  /** @type {import('./violation.mjs').Violation[]} */
  const violations = [];
  for (const file of filesIn(
    root,
    ['packages', 'native', 'test', 'tools', 'examples'],
    /\.(ts|mjs|cpp|hpp|h|sh)$/,
  )) {
    if (/\.gen\.\w+$/.test(file)) continue;
    const lines = readText(root, file).split('\n');
    const marked = lines.slice(0, MARKER_WITHIN_LINES).findIndex((text) => MARKER.test(text));
    const reason = marked === -1 ? undefined : MARKER.exec(lines[marked] ?? '')?.[1];
    if (marked !== -1 && reason === undefined) {
      violations.push({
        file,
        line: marked + 1,
        message: 'file-size-exempt without a reason',
        remedy: 'write the reason after the colon',
      });
    }
    const count = lines.length - (lines.at(-1) === '' ? 1 : 0);
    if (count <= HARD_CAP || reason !== undefined) continue;
    violations.push({
      file,
      line: HARD_CAP + 1,
      message: `${count} lines, over the cap of ${HARD_CAP}`,
      remedy: 'find its second noun and split it (a table may say "file-size-exempt: reason" at its top)',
    });
  }
  return { violations };
}
