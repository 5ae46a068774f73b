/** The matrix as text: a row for each ring kind and size, a column for each pairing and direction. Pure; called by run.ts. */
import type { Direction, Pairing, Ring } from './cells.js';
import { directions, pairings, pairingTitles, ringName, sizes } from './cells.js';
import type { Outcome } from './group.js';

export interface Summary {
  text: string;
  cells: number;
  green: number;
}

/** Of one direction; two of them hold the title of a pairing. */
const width = 14;
const pad = (text: string, to: number) => text.padEnd(to).slice(0, to);

/** What of `outcomes` belongs to one field of the table. */
function ofField(
  outcomes: readonly Outcome[],
  ring: Ring,
  size: number,
  pairing: Pairing,
  direction: Direction,
): Outcome[] {
  return outcomes.filter(
    (one) =>
      ringName(one.ring) === ringName(ring) &&
      one.size === size &&
      one.direction === direction &&
      one.bench.pairings.includes(pairing),
  );
}

/** A field is green when every bench that belongs to it has run it without a fault. */
function verdict(field: readonly Outcome[], benches: number): string {
  if (field.length === 0) return '-';
  if (field.some((one) => one.fault !== undefined)) return 'FAILED';
  return field.length === benches ? 'ok' : 'partly run';
}

/**
 * @param benchesOf how many benches prove a cell of a pairing
 */
export function matrixTable(
  rings: readonly Ring[],
  outcomes: readonly Outcome[],
  benchesOf: (pairing: Pairing) => number,
): Summary {
  const columns = pairings.flatMap((pairing) => directions.map((direction) => ({ pairing, direction })));
  const label = 42;
  const head = [
    pad('', label) + pairings.map((pairing) => pad(pairingTitles[pairing], width * 2)).join('  '),
    pad('ring', label - 6) +
      pad('bytes', 6) +
      pairings.map(() => directions.map((direction) => pad(direction, width)).join('')).join('  '),
  ];
  let cells = 0;
  let green = 0;
  const rows = rings.flatMap((ring) =>
    sizes.map((size) => {
      const fields = columns.map(({ pairing, direction }, index) => {
        const text = verdict(ofField(outcomes, ring, size, pairing, direction), benchesOf(pairing));
        if (text !== '-') cells += 1;
        if (text === 'ok') green += 1;
        return pad(text, width) + (index % 2 === 1 ? '  ' : '');
      });
      return pad(ringName(ring), label - 6) + pad(String(size), 6) + fields.join('');
    }),
  );
  return { text: [...head, ...rows].map((line) => line.trimEnd()).join('\n'), cells, green };
}
