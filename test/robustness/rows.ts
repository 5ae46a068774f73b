/** Reads the table of hostile inputs, rows.txt. Its form is told there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repoRoot } from '../harness/paths.js';
import type { Component, Format, Outcome, Proof, Row, Side } from './row.js';
import { COMPONENTS, OUTCOMES } from './row.js';

const NOT_OFFERED = 'not offered: ';
const BOTH: readonly Format[] = ['split', 'packed'];
const ONLY: Partial<Record<Component, readonly Format[]>> = { SPL: ['split'], PKD: ['packed'] };
/** Rows that are about one format's rings, whatever their component. */
const ONE_RING: Readonly<Record<number, readonly Format[]>> = {
  65: ['split'],
  145: ['split'],
  152: ['packed'],
};
const SIDES: Partial<Record<Component, readonly Side[]>> = {
  DRV: ['driver'],
  FE: ['driver'],
  LIFE: ['device', 'driver'],
};

/** All rows, in the order of their numbers. Throws on a line that is not in form. */
export function readRows(): Row[] {
  const path = join(repoRoot, 'test', 'robustness', 'rows.txt');
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map(parseRow);
}

function parseRow(line: string): Row {
  const cells = line.split('|').map((cell) => cell.trim());
  const [id = '', component = '', setup = '', action = '', allowed = '', proofs = '', open = ''] = cells;
  if (cells.length !== 7 || !isComponent(component)) throw new Error(`rows.txt: not a row: ${line}`);
  const number = Number(id);
  const offered = !open.startsWith(NOT_OFFERED);
  return {
    id: number,
    component,
    setup,
    action,
    allowed: allowed.split(' ').map((word) => outcome(word, line)),
    sides: SIDES[component] ?? ['device'],
    formats: ONE_RING[number] ?? ONLY[component] ?? BOTH,
    proofs: proofs === '' ? [] : proofs.split(';').map((text) => parseProof(text.trim())),
    open: offered ? open : open.slice(NOT_OFFERED.length),
    offered,
  };
}

function parseProof(text: string): Proof {
  const cpp = /^cpp(?::(split|packed))? (\S+)$/.exec(text);
  if (cpp !== null) {
    const formats = cpp[1] === undefined ? BOTH : [cpp[1] as Format];
    return { kind: 'cpp', file: '', name: cpp[2] as string, formats };
  }
  const unit = /^unit (\S+) > (.+)$/.exec(text);
  if (unit === null) throw new Error(`rows.txt: not a proof: ${text}`);
  return { kind: 'unit', file: unit[1] as string, name: unit[2] as string, formats: BOTH };
}

function isComponent(word: string): word is Component {
  return Object.hasOwn(COMPONENTS, word);
}

function outcome(word: string, line: string): Outcome {
  if (!Object.hasOwn(OUTCOMES, word)) throw new Error(`rows.txt: no outcome "${word}": ${line}`);
  return word as Outcome;
}
