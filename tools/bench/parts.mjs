// @ts-check
// The parts of the benchmark, in the order in which they run, and how their results are put together.

import { Unmet } from '../lib/requirements.mjs';
import { cellsPart } from './cells-part.mjs';
import { growthPart } from './growth.mjs';
import { idlePart } from './idle.mjs';
import { latencyPart } from './latency.mjs';
import { stallPart } from './stall.mjs';

/**
 * @typedef {object} Options
 * @property {boolean} quick
 * @property {number | undefined} [rounds]
 * @property {string | undefined} [cell]
 * @property {(data: unknown) => void} [keep] called with what there is so far, so that a long run that is broken off leaves it
 * @typedef {{ title: string, text: string, data: unknown }} PartResult
 * @typedef {(options: Options) => Promise<PartResult>} Part
 */

/** @type {Record<string, Part>} */
export const PARTS = {
  cells: cellsPart,
  latency: latencyPart,
  stall: stallPart,
  idle: idlePart,
  growth: growthPart,
};

/**
 * @param {string | undefined} text names between commas; default: all of them, or only the cells when it is to be quick
 * @param {boolean} quick
 * @throws Error naming what is unknown
 */
export function chooseParts(text, quick) {
  const names = text === undefined ? (quick ? ['cells'] : Object.keys(PARTS)) : text.split(',');
  return names.map((name) => {
    const part = Object.hasOwn(PARTS, name) ? PARTS[name] : undefined;
    if (part === undefined)
      throw new Unmet(`--part=${name}: there is no such part; use ${Object.keys(PARTS).join(', ')}.`);
    return { name, part };
  });
}
