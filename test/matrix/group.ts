/**
 * Runs a bench over the cells of one ring kind and turns what happens into outcomes. A failed cell ends its processes; the cells that
 * are left get fresh ones, so that one fault never hides behind another. Called by run.ts and by the interop tests.
 */
import { Scope } from '../harness/scope.js';
import { DeadlineError } from '../harness/wait.js';
import type { Bench, BenchKind, Evidence } from './bench.js';
import type { Cell, Ring } from './cells.js';
import { cellsOf } from './cells.js';

export interface Outcome extends Cell {
  bench: BenchKind;
  /** What went wrong; absent when the cell is in order. */
  fault?: string;
  evidence: Evidence;
  /** Tails of the logs, when it went wrong. */
  report?: string;
}

const none: Evidence = { packets: 0, bytes: 0 };
const groupDeadlineMs = 60_000;

/** All cells of a ring kind on a bench. Never throws for what a peer does. */
export async function runGroup(bench: BenchKind, ring: Ring, cells = cellsOf(ring)): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let left = [...cells];
  while (left.length > 0) {
    const done = await runUntilFault(bench, ring, left);
    outcomes.push(...done);
    left = left.slice(done.length);
  }
  return outcomes;
}

/** Outcomes of the first cells, the last of which may be a fault. At least one. */
async function runUntilFault(bench: BenchKind, ring: Ring, cells: Cell[]): Promise<Outcome[]> {
  const scope = new Scope();
  const outcomes: Outcome[] = [];
  const fail = (cell: Cell, error: unknown): Outcome => {
    const fault = (error as Error).message.split('\n')[0] ?? '';
    return { ...cell, bench, fault: `${bench.name}: ${fault}`, evidence: none, report: scope.report(15) };
  };
  const [first] = cells as [Cell, ...Cell[]];
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const what = `${bench.name} of one ring kind`;
    timer = setTimeout(() => reject(new DeadlineError(what, groupDeadlineMs)), groupDeadlineMs);
  });
  late.catch(() => undefined);
  const inTime = <T>(work: Promise<T>): Promise<T> => {
    work.catch(() => undefined);
    return Promise.race([work, late]);
  };
  try {
    let opened: Bench;
    try {
      opened = await inTime(bench.open(scope, ring));
    } catch (error) {
      // Nothing of this kind can run: the same fault for all of them.
      return cells.map((cell) => fail(cell, error));
    }
    for (const cell of cells) {
      try {
        outcomes.push({ ...cell, bench, evidence: await inTime(opened.run(cell)) });
      } catch (error) {
        outcomes.push(fail(cell, error));
        return outcomes;
      }
    }
    await inTime(opened.finish()).catch((error: unknown) => {
      outcomes[0] = fail(first, new Error(`after the last cell: ${(error as Error).message}`));
    });
    return outcomes;
  } finally {
    clearTimeout(timer);
    await scope.killAll();
    await scope.close();
  }
}
