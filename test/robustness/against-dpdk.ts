/** `npm run hostile -- --against dpdk`: the cases of a hostile front-end that look at nothing but the outside, against Debian's
 * dpdk-testpmd and against our port, side by side. A row counts when all its cases leave the program as it was. */
import { startDpdk, vhost } from '../harness/dpdk.js';
import { dpdkTestpmd } from '../harness/peers.js';
import { Scope } from '../harness/scope.js';
import type { TestpmdSession } from '../harness/testpmd-session.js';
import type { DeviceCase } from './case.js';
import { CASES } from './cases/index.js';
import { runForeign } from './foreign-bench.js';
import { runSocket } from './prove.js';
import { COMPONENTS } from './row.js';
import { readRows } from './rows.js';
import { formatsOf } from './run-case.js';

/** Left out: 30 takes away the path that all are reached by, 60 would cost this machine its memory where a table is populated at once. */
const LEFT_OUT: readonly number[] = [30, 60];

/** Row → whether all its cases that apply hold. */
type Rows = Map<number, boolean>;

const note = (rows: Rows, row: number, holds: boolean) => rows.set(row, (rows.get(row) ?? true) && holds);

/** Runs and prints; the exit status says nothing about either. */
export async function againstDpdk(): Promise<void> {
  if (dpdkTestpmd() === undefined) {
    process.stderr.write('no dpdk-testpmd: apt-get install dpdk-dev, or set POLLWIRE_DPDK_TESTPMD\n');
    process.exitCode = 2;
    return;
  }
  const theirs: Rows = new Map();
  const applied: DeviceCase[] = [];
  const scope = new Scope();
  try {
    let session: TestpmdSession | undefined;
    let n = 0;
    for (const test of CASES.filter(
      (one): one is DeviceCase => one.side === 'device' && !LEFT_OUT.includes(one.row),
    )) {
      for (const format of formatsOf(test)) {
        if (session === undefined || !session.process.alive) {
          n++;
          const vdevs = [vhost(0, scope.path(`s${n}`))];
          session = await startDpdk(scope, { name: `dpdk ${n}`, vdevs, forward: 'rxonly', autoStart: true });
        }
        const target = { process: session.process, path: scope.path(`s${n}`), dir: scope.dir };
        const verdict = await runForeign(target, test, format);
        if (verdict === undefined) continue;
        if (!applied.includes(test)) applied.push(test);
        note(theirs, test.row, verdict === '');
        // What one case did to the process is not held against the next.
        if (verdict !== '' && session.process.alive) {
          await session.process.kill();
          session = undefined;
        }
      }
    }
  } finally {
    await scope.close();
  }
  const ours: Rows = new Map();
  for (const { test, problem } of await runSocket(applied)) note(ours, test.row, problem === '');
  print(ours, theirs);
}

function print(ours: Rows, theirs: Rows): void {
  const components = readRows();
  process.stdout.write(`${''.padEnd(44)}      pollwire  dpdk-testpmd\n`);
  const line = (label: string, ids: readonly number[]) => {
    const count = (rows: Rows) => `${ids.filter((id) => rows.get(id)).length}/${ids.length}`.padStart(14);
    if (ids.length > 0) process.stdout.write(`${label.padEnd(44)}${count(ours)}${count(theirs)}\n`);
  };
  for (const [name, title] of Object.entries(COMPONENTS)) {
    const ids = components.filter((row) => row.component === name && theirs.has(row.id)).map(({ id }) => id);
    line(`${name.padEnd(5)} ${title}`, ids);
  }
  line('all rows that apply', [...theirs.keys()]);
}
