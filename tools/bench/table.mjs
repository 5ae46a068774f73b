// @ts-check
// A Markdown table with aligned columns, for every report of the benchmark.

/**
 * @param {string[]} head the first column is text, the others are numbers
 * @param {(string | number | undefined)[][]} rows
 */
export function table(head, rows) {
  const cells = [head, ...rows].map((row) => row.map((cell) => String(cell ?? '')));
  const widths = head.map((_, i) => Math.max(3, ...cells.map((row) => (row[i] ?? '').length)));
  const line = (/** @type {string[]} */ row) =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`;
  const rule = `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  const [first = [], ...rest] = cells;
  return [line(first), rule, ...rest.map(line)].join('\n');
}

/** A number with `digits` decimals; nothing for undefined. @param {number | undefined} value @param {number} [digits] */
export const fixed = (value, digits = 2) =>
  value === undefined || Number.isNaN(value) ? '' : value.toFixed(digits);

/** Packets per second in millions. @param {number | undefined} rate */
export const millions = (rate) => fixed(rate === undefined ? undefined : rate / 1e6);
