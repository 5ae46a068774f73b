// @ts-check
// The table of cells, for people.
import { ROLE_TEXTS } from './cells.mjs';
import { fixed, millions, table } from './table.mjs';

/** @typedef {import('./rounds.mjs').Row} Row */

const HEAD = [
  'cell',
  'ours M/s',
  'DPDK M/s',
  'ratio',
  'ours cyc/pkt',
  'DPDK cyc/pkt',
  'limit M/s',
  'limit cyc/pkt',
];

/** @param {Row[]} rows */
export function cellTable(rows) {
  return table(
    HEAD,
    rows.map((row) => [
      row.cell,
      millions(row.ours),
      millions(row.dpdk),
      fixed(row.ratio),
      fixed(row.cyclesOurs, 1),
      fixed(row.cyclesDpdk, 1),
      millions(row.limit),
      fixed(row.cyclesLimit, 1),
    ]),
  );
}

/** What one must know to read the table. @param {Row[]} rows @param {number} rounds */
export function foot(rows, rounds) {
  const roles = new Set(rows.map(({ role }) => role));
  const texts = Object.entries(ROLE_TEXTS).filter(([role]) => roles.has(role));
  return [
    `Best of ${rounds} ${rounds === 1 ? 'round' : 'rounds'}, ours and DPDK's in turn; cycles per packet in the round with the fewest, those of`,
    'the vhost side where both sides are measured.',
    ...texts.map(([role, text]) => `${role}: ${text}.`),
    'Both programs get the same options: mbufs of 2176 bytes, and of 9728 (--mbuf-size) for frames of 9000, so that a frame is one',
    'buffer. In-order rings are without mergeable buffers. The limit is the copy of the same bytes through rings of the same shape on',
    'one core.',
  ].join('\n');
}
