/**
 * The cases of a hostile front-end against another program's vhost port. Only what can be seen from outside is judged: it lives, it
 * serves the next front-end, and it holds no more descriptors and mappings than before. Used by against-dpdk.ts.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ManagedProcess } from '../harness/process.js';
import { waitUntil } from '../harness/wait.js';
import type { Bench } from './bench.js';
import type { DeviceCase } from './case.js';
import { FrontBench } from './front-bench.js';
import { HostileGuest } from './peers/hostile-guest.js';
import { RawFrontend } from './peers/raw-frontend.js';
import type { Format } from './row.js';

/** The case looks into the port, which is not ours. */
class NotOurs extends Error {}

/** Answers nothing: who asks is not a case for another program. */
const opaque = <T extends object>(known: object = {}): T =>
  new Proxy(known, {
    get(target, name) {
      if (Object.hasOwn(target, name)) return Reflect.get(target, name);
      throw new NotOurs(`${String(name)} of another program`);
    },
  }) as T;

class ForeignBench extends FrontBench {
  readonly #path: string;

  constructor(path: string, dir: string, format: Format) {
    const burst = { release: () => undefined };
    const known = {
      lines: [],
      logged: () => [],
      dir,
      bystander: { exchange: () => Promise.resolve() },
      eal: opaque({ burst: () => burst, port: () => undefined }),
    };
    super(opaque<Bench>(known), format);
    this.#path = path;
  }

  override target(): ReturnType<FrontBench['target']> {
    return Promise.resolve({ path: this.#path, port: opaque() });
  }

  override async guest(): Promise<HostileGuest> {
    const guest = new HostileGuest(await this.connect(), { packed: this.format === 'packed' });
    this.adopt(guest);
    await guest.start();
    return guest;
  }

  override async expectClosed(peer: RawFrontend): Promise<void> {
    await waitUntil('the end', 300, () => peer.gone, 2).catch(() => undefined);
    peer.close();
    await this.expectServes();
  }

  override async expectServes(): Promise<void> {
    await waitUntil('a good front-end to be served', 3000, () => serves(this.#path), 5);
  }
}

async function serves(path: string): Promise<boolean> {
  const good = new RawFrontend(path);
  try {
    return (await good.getFeatures()) !== 0n;
  } catch {
    return false;
  } finally {
    good.close();
  }
}

interface Target {
  readonly process: ManagedProcess;
  readonly path: string;
  readonly dir: string;
}

/** '' when the program is as before, a sentence when not, undefined when the case is not one for another program. */
export async function runForeign(
  target: Target,
  test: DeviceCase,
  format: Format,
): Promise<string | undefined> {
  const { process: child, path, dir } = target;
  const held = () => child.fdTargets().length + child.sharedFileMaps().length;
  const before = held();
  const bench = new ForeignBench(path, dir, format);
  const outcome = await Promise.race([
    Promise.resolve(test.run(bench)).catch((error: unknown) => error),
    sleep(15_000),
  ]);
  await bench.close();
  if (outcome instanceof NotOurs) return undefined;
  if (!child.alive) return 'the process has ended';
  const served = await waitUntil('service', 3000, () => serves(path), 10).catch(() => false);
  if (!child.alive) return 'the process has ended';
  if (!served) return 'the next front-end is not served';
  const balanced = await waitUntil('balance', 2000, () => held() <= before, 20).catch(() => false);
  return balanced ? '' : 'it holds more descriptors or mappings than before';
}
