/** From results to the score: how many of the rows that apply are proven, by component and cell. Pure. */
import type { SocketCase } from './case.js';
import type { Component, Format, Proof, Row, Side } from './row.js';
import { COMPONENTS } from './row.js';

/** What became of one thing that was run. */
export interface Result {
  readonly row: number;
  /** Its name, for people. */
  readonly name: string;
  readonly sides: readonly Side[];
  readonly formats: readonly Format[];
  /** '' when it holds, else what is wrong. */
  readonly problem: string;
}

/** A row in one cell. */
export type Standing = 'proven' | 'failed' | 'open' | 'does not apply';

export const CELLS = [
  { format: 'split', side: 'device' },
  { format: 'packed', side: 'device' },
  { format: 'split', side: 'driver' },
  { format: 'packed', side: 'driver' },
] as const satisfies readonly { format: Format; side: Side }[];
export type Cell = (typeof CELLS)[number];

/** Cells for which a proof or a case of a row counts. */
export function coverage(row: Row, proof: Proof | SocketCase): Pick<Result, 'sides' | 'formats'> {
  if ('kind' in proof) return { sides: row.sides, formats: proof.formats };
  return { sides: [proof.side], formats: proof.formats === 'once' ? ['split', 'packed'] : proof.formats };
}

/** Proven: something shows it, and nothing that was run contradicts. */
export function standing(row: Row, { format, side }: Cell, results: readonly Result[]): Standing {
  const applies = row.offered && row.sides.includes(side) && row.formats.includes(format);
  if (!applies) return 'does not apply';
  const own = results.filter(
    (result) => result.row === row.id && result.sides.includes(side) && result.formats.includes(format),
  );
  if (own.some(({ problem }) => problem !== '')) return 'failed';
  return own.length > 0 ? 'proven' : 'open';
}

/** The table that `npm run hostile` prints. */
export function scoreTable(rows: readonly Row[], results: readonly Result[]): string {
  const heads = CELLS.map(({ format, side }) => `${format} ${side}`.padStart(14)).join('');
  const line = (label: string, part: readonly Row[]) => {
    const counts = CELLS.map((cell) => {
      const all = part.map((row) => standing(row, cell, results)).filter((s) => s !== 'does not apply');
      const proven = all.filter((s) => s === 'proven').length;
      return (all.length === 0 ? '-' : `${proven}/${all.length}`).padStart(14);
    });
    return label.padEnd(44) + counts.join('');
  };
  const names = Object.keys(COMPONENTS) as Component[];
  const lines = names.map((name) => {
    const part = rows.filter(({ component }) => component === name);
    return line(`${name.padEnd(5)} ${COMPONENTS[name]}`, part);
  });
  return [`${''.padEnd(44)}${heads}`, ...lines, line('all', rows)].join('\n');
}

/** One line for each row that is not proven where it applies. */
export function shortfalls(rows: readonly Row[], results: readonly Result[]): string[] {
  return rows.flatMap((row) => {
    const bad = CELLS.filter((cell) => ['failed', 'open'].includes(standing(row, cell, results)));
    if (bad.length === 0) return [];
    const cells = bad
      .map((cell) => `${cell.format} ${cell.side}: ${standing(row, cell, results)}`)
      .join(', ');
    const problems = results.filter(({ row: id, problem }) => id === row.id && problem !== '');
    const why = problems.map(({ name, problem }) => `\n      ${name}: ${problem.split('\n')[0]}`).join('');
    return [`  ${row.id} ${row.setup}: ${row.action} (${cells})${why}`];
  });
}
