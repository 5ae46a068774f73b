/**
 * What `npm start` without arguments runs: ports, an engine and live port statistics until Ctrl-C. Uses the same application as testpmd; which
 * ports, is in demo-ports.ts.
 */
import type { Port } from '@pollwire/ethdev';
import { createContainer, startEal, TOKENS } from './container.js';
import { DEMO_PORTS } from './demo-ports.js';
import { messageOf } from './errors.js';
import type { Output } from './output.js';
import { processOutput } from './output.js';
import { left, right } from './report/format.js';
import { defaultSettings } from './settings.js';
import { handleSignals } from './signals.js';
import type { Testpmd } from './testpmd.js';

const PERIOD_MS = 1000;

/** @returns the exit code */
export async function main(): Promise<number> {
  const out = processOutput();
  const container = createContainer();
  // The application's own lines are for those who type its commands; here only its complaints matter.
  const complaints: string[] = [];
  container.register<Output>(TOKENS.Output, {
    useValue: { write: () => undefined, error: (line) => void complaints.push(line) },
  });
  const settings = { ...defaultSettings(), engine: DEMO_PORTS.engine, flushRx: false };
  let app: Testpmd | undefined;
  try {
    app = await startEal(container, { vdevs: DEMO_PORTS.vdevs }, settings);
    return await show(app, out);
  } catch (error) {
    out.error(`demo: ${messageOf(error)}`);
    for (const line of complaints) out.error(`demo: ${line}`);
    return 1;
  } finally {
    await app?.shutDown();
  }
}

async function show(app: Testpmd, out: Output): Promise<number> {
  const forget = handleSignals(app);
  let leave: (() => Promise<void>) | undefined;
  try {
    await app.boot();
    leave = await DEMO_PORTS.join?.(app);
    if (!(await app.forwarding.start(DEMO_PORTS.txFirst))) throw new Error('forwarding did not start');
    out.write(introduction(app));
    await refresh(app, out);
    out.write('\nStopping.\n');
    return 0;
  } finally {
    await leave?.();
    forget();
  }
}

function introduction(app: Testpmd): string {
  const lcores = app.forwarding.plan().lcores.map(({ lcore }) => lcore);
  const rows = app.ports.ids().map((id) => `  port ${id}  ${app.ports.get(id)?.devargs}`);
  return [
    'Pollwire demonstration',
    ...DEMO_PORTS.story,
    '',
    ...rows,
    `  engine  ${app.settings.engine}, on lcore ${lcores.join(', ')}; the main lcore ${app.eal.mainLcore.id} prints this`,
    '',
    'Ctrl-C ends it. The same by hand, with a prompt:',
    `  npm start -- ${DEMO_PORTS.vdevs.map((vdev) => `--vdev ${vdev}`).join(' ')} -- -i`,
    '',
    '',
  ].join('\n');
}

const HEADER = `${left('port', 6)}${right('rx packets', 16)}${right('tx packets', 16)}${right('rx packets/s', 16)}${right('tx packets/s', 16)}${right('Mbit/s', 10)}\n`;

/** One row per port, drawn over itself on a terminal, repeated otherwise. */
async function refresh(app: Testpmd, out: Output): Promise<void> {
  const redraw = process.stdout.isTTY === true;
  const ports = app.ports.ids().map((id) => app.ports.get(id) as Port);
  for (const port of ports) app.statistics.report(port);
  out.write(HEADER);
  for (let round = 0; ; round++) {
    await app.clock.sleep(PERIOD_MS, app.quitSignal);
    if (app.quitSignal.aborted) return;
    const rows = ports.map((port) => row(app, port)).join('');
    out.write(redraw && round > 0 ? `\u001b[${ports.length}A${rows}` : rows);
  }
}

function row(app: Testpmd, port: Port): string {
  const r = app.statistics.report(port);
  const cells = [r.rxPackets, r.txPackets, r.rxPps, r.txPps]
    .map((value) => right(grouped(value), 16))
    .join('');
  return `${left(port.id, 6)}${cells}${right(grouped(r.rxBps / 1_000_000n), 10)}\n`;
}

/** 12345678n → '12 345 678' */
const grouped = (value: bigint): string => String(value).replace(/\B(?=(\d{3})+$)/g, ' ');
