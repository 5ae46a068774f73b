/** The documentation page of the table, docs/hostile-inputs.md, made of the table and the cases. A test compares. */
import { CASES } from './cases/index.js';
import type { Component, Outcome, Row } from './row.js';
import { COMPONENTS, OUTCOMES } from './row.js';
import { readRows } from './rows.js';

export const PAGE = 'docs/hostile-inputs.md';

const HEAD = `# Hostile inputs

What a front-end, a guest or a back-end can do to us, one row each, what may come of it, and which tests show it. This page is
written by \`npm run hostile -- --write\` from \`test/robustness/rows.txt\` and the cases beside it. \`npm run hostile\` runs every
proof and prints the score; \`npm run hostile -- --row 143\` runs those of one row. [security.md](security.md) says what is promised.

In every row: no crash, no hang, no leak of a descriptor, a mapping or an mbuf, no access outside the shared memory, and the traffic
of other ports is complete. "Socket" is the number of cases that do it over a real socket and look at all of that afterwards.
`;

/** The whole page. */
export function makePage(): string {
  const rows = readRows();
  const words = Object.entries(OUTCOMES).map(([word, meaning]) => `| ${word} | ${meaning} |`);
  const sections = (Object.keys(COMPONENTS) as Component[]).map((component) => section(component, rows));
  return [HEAD, '| Outcome | Meaning |', '|---|---|', ...words, '', ...sections].join('\n');
}

function section(component: Component, rows: readonly Row[]): string {
  const own = rows.filter((row) => row.component === component);
  const title = COMPONENTS[component];
  const lines = own.map(
    (row) => `| ${[row.id, `${row.setup}: ${row.action}`, outcomes(row.allowed), proofs(row)].join(' | ')} |`,
  );
  return [
    `## ${title[0]?.toUpperCase()}${title.slice(1)}`,
    '',
    '| Row | Input | May follow | Shown by |',
    '|---|---|---|---|',
    ...lines,
    '',
  ].join('\n');
}

const outcomes = (allowed: readonly Outcome[]) => allowed.join(', ');

function proofs(row: Row): string {
  if (!row.offered) return `not reachable: ${row.open}`;
  const cases = CASES.filter((test) => test.row === row.id).length;
  const shown = [
    ...(cases > 0 ? [`socket (${cases})`] : []),
    ...row.proofs.map(({ kind, file, name }) => (kind === 'cpp' ? `\`${name}\`` : `${file}: "${name}"`)),
    ...(row.open === '' ? [] : [`open: ${row.open}`]),
  ];
  return shown.join('; ') || 'nothing yet';
}
