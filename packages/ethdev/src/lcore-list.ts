/**
 * The lcore options as data: `-l 0-3,8`, `-c 0xf`, `--lcores '0@0,(1,2)@(5-7)'` → which lcores, on which CPUs. Pure. Called by
 * eal-args.ts and Eal.
 */
import { L, PollwireError } from '@pollwire/native';
import { sentenceList } from './suggest.js';

/** One lcore and the CPUs its thread may run on. */
export interface LcoreSpec {
  readonly id: number;
  readonly cpus: readonly number[];
}

function fail(text: string, why: string): never {
  throw new PollwireError(
    'LCORE_LIST',
    `Lcore list '${text}': ${why}. Examples: 0-3, 0,2, 0@0,1@1, (0,1)@0.`,
  );
}

/** '0-3' → [0,1,2,3]; '7' → [7]. DPDK allows a range to be written either way round. */
function range(text: string, part: string): number[] {
  const match = /^(\d+)(?:-(\d+))?$/.exec(part.trim());
  if (match === null) return fail(text, `'${part}' is not a number or a range`);
  const from = Number(match[1]);
  const to = match[2] === undefined ? from : Number(match[2]);
  const [low, high] = from <= to ? [from, to] : [to, from];
  if (high > 1023) fail(text, `${high} is too large`);
  return Array.from({ length: high - low + 1 }, (_, i) => low + i);
}

/** Splits at commas outside parentheses. */
function topLevel(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i <= text.length; i++) {
    const c = text[i];
    if (c === '(') depth++;
    else if (c === ')') depth--;
    if (depth < 0 || depth > 1) fail(text, 'the parentheses do not match');
    if (i < text.length && (c !== ',' || depth > 0)) continue;
    parts.push(text.slice(start, i));
    start = i + 1;
  }
  if (depth !== 0) fail(text, 'the parentheses do not match');
  return parts;
}

/** '(1,3-5)' or '1' or '1-3' → numbers. */
function set(text: string, part: string): number[] {
  const inner = part.trim();
  const list = inner.startsWith('(') && inner.endsWith(')') ? inner.slice(1, -1).split(',') : [inner];
  return [...new Set(list.flatMap((one) => range(text, one)))];
}

/**
 * Parses the argument of -l or --lcores. Without `@`, lcore n runs on CPU n; a group `(0-2)` without `@` shares the CPUs 0 to 2;
 * `lcores@cpus` gives every lcore of the left side all CPUs of the right side. Throws LCORE_LIST.
 */
export function parseLcoreList(text: string): LcoreSpec[] {
  const specs = new Map<number, LcoreSpec>();
  for (const part of topLevel(text)) {
    if (part.trim() === '') fail(text, 'an empty element');
    const [left = '', right, extra] = part.split('@');
    if (extra !== undefined) fail(text, `'${part}' has two @`);
    const ids = set(text, left);
    const shared = right !== undefined ? set(text, right) : left.trim().startsWith('(') ? ids : undefined;
    for (const id of ids) {
      if (id >= L.MAX_LCORES) fail(text, `lcore ${id} is too large; ${L.MAX_LCORES - 1} is the highest`);
      if (specs.has(id)) fail(text, `lcore ${id} is named twice`);
      specs.set(id, { id, cpus: shared ?? [id] });
    }
  }
  return [...specs.values()];
}

/** Parses the argument of -c: a hexadecimal mask of lcores = CPUs. Throws LCORE_LIST. */
export function parseCoremask(text: string): LcoreSpec[] {
  if (!/^(0x)?[0-9a-f]+$/i.test(text)) fail(text, 'not a hexadecimal mask');
  const mask = BigInt(text.startsWith('0x') || text.startsWith('0X') ? text : `0x${text}`);
  if (mask === 0n) fail(text, 'the mask is empty');
  const specs: LcoreSpec[] = [];
  for (let id = 0; mask >> BigInt(id) !== 0n; id++) {
    if (((mask >> BigInt(id)) & 1n) === 0n) continue;
    if (id >= L.MAX_LCORES) fail(text, `lcore ${id} is too large; ${L.MAX_LCORES - 1} is the highest`);
    specs.push({ id, cpus: [id] });
  }
  return specs;
}

/** Lcores when none are named: one per usable CPU; on a machine with one CPU two lcores that share it. */
export function defaultLcores(usable: readonly number[]): LcoreSpec[] {
  const specs = usable.filter((cpu) => cpu < L.MAX_LCORES).map((cpu) => ({ id: cpu, cpus: [cpu] }));
  const only = specs[0];
  return specs.length === 1 && only !== undefined ? [only, { id: only.id + 1, cpus: only.cpus }] : specs;
}

/** [0,1,2,5] → '0-2,5'. */
export function formatRanges(numbers: readonly number[]): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let i = 0; i < sorted.length; ) {
    let end = i;
    while (sorted[end + 1] === (sorted[end] as number) + 1) end++;
    parts.push(end === i ? String(sorted[i]) : `${sorted[i]}-${sorted[end]}`);
    i = end + 1;
  }
  return parts.join(',');
}

/** Throws LCORE_CPU when an lcore has no CPU that this process may use: one line with what exists and what to type. */
export function checkCpus(specs: readonly LcoreSpec[], usable: readonly number[]): void {
  const missing = specs.filter((spec) => !spec.cpus.some((cpu) => usable.includes(cpu)));
  if (missing.length === 0) return;
  const ids = missing.map((spec) => spec.id);
  const all = specs.map((spec) => spec.id);
  const spread = all.map((id, i) => `${id}@${usable[i % usable.length]}`).join(',');
  const exist = usable.length === 1 ? `CPU ${usable[0]} is` : `CPUs ${formatRanges(usable)} are`;
  throw new PollwireError(
    'LCORE_CPU',
    `Lcore ${sentenceList(ids)} ${ids.length === 1 ? 'has' : 'have'} no CPU here: only ${exist} usable. ` +
      `Type -l ${formatRanges(usable)}, or let lcores share CPUs with --lcores '${spread}'.`,
    { details: { missing: ids, usable } },
  );
}
