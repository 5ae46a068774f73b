/**
 * What every case of the socket harness runs in: one Eal, a pool for the port under attack, a port beside it whose traffic must not
 * notice, the log, and the accounts that have to balance afterwards. One per process.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Mempool, Port } from '@pollwire/ethdev';
import { Eal } from '@pollwire/ethdev';
import { native } from '@pollwire/native';
import { netVhost } from '@pollwire/vhost';
import { netVirtioUser } from '@pollwire/virtio';
import { sharedFileMaps } from '../harness/proc-info.js';
import { waitUntil } from '../harness/wait.js';
import { Bystander } from './bystander.js';
import { mapArena } from './peers/hostile-backend.js';

const POOL_SIZE = 2048;

/** What a process must not hold more of after a case. */
interface Held {
  readonly fds: number;
  readonly maps: number;
}

export class Bench {
  readonly dir: string;
  /** Log lines since the case began. */
  readonly lines: string[] = [];
  readonly eal: Eal;
  /** The pool of the port under attack. */
  readonly pool: Mempool;
  readonly bystander: Bystander;
  #count = 0;
  #before: Held = { fds: 0, maps: 0 };

  static async open(): Promise<Bench> {
    const dir = mkdtempSync(join(tmpdir(), 'pw-hostile-'));
    const lines: string[] = [];
    const drivers = [netVhost, netVirtioUser];
    // Why a connection ended is told at level info, each time.
    const logLevels = ['pmd.net.vhost:info'];
    const options = { memory: 64, huge: 'never', lcores: '0', drivers, logLevels } as const;
    const eal = await Eal.init(options, (line) => lines.push(line));
    const bench = new Bench(dir, eal, lines, await Bystander.open(eal, join(dir, 'bystander')));
    mapArena();
    bench.begin();
    return bench;
  }

  private constructor(dir: string, eal: Eal, lines: string[], bystander: Bystander) {
    this.dir = dir;
    this.eal = eal;
    this.lines = lines;
    this.bystander = bystander;
    this.pool = eal.createPool({ name: 'target', size: POOL_SIZE, cache: 0 });
  }

  /** A fresh name for a socket and a device. */
  next(): { n: number; path: string } {
    const n = this.#count++;
    return { n, path: join(this.dir, `s${n}`) };
  }

  /** Takes the measure. */
  begin(): void {
    this.lines.length = 0;
    this.#before = held();
  }

  /** Checks that everything is as it was: descriptors, mappings, mbufs, and the port beside. */
  async settle(): Promise<void> {
    const balanced = () => {
      // The case's own views of guest memory are unmapped when they are collected.
      if (held().maps > this.#before.maps) collectGarbage();
      const now = held();
      return now.fds <= this.#before.fds && now.maps <= this.#before.maps;
    };
    await waitUntil('descriptors and mappings as before', 3000, balanced, 5).catch(() => {
      const now = held();
      assert.deepEqual(now, this.#before, 'descriptors and shared mappings after the case');
    });
    assert.equal(this.pool.free, POOL_SIZE, `mbufs are missing:\n${this.pool.leaks().join('\n')}`);
    assert.equal(native.mbufViolations(), 0, 'mbufs were freed twice, or written to after they were freed');
    await this.bystander.exchange();
  }

  /** Attaches, configures and starts a port with one queue pair on the pool. */
  async startPort(devargs: string): Promise<Port> {
    const port = await this.eal.attach(devargs);
    try {
      this.configure(port);
      await port.start();
    } catch (error) {
      await this.eal.detach(port);
      throw error;
    }
    return port;
  }

  configure(port: Port, pairs = 1): void {
    port.configure({ rxQueues: pairs, txQueues: pairs });
    for (let queue = 0; queue < pairs; queue++) {
      port.setupRxQueue(queue, { pool: this.pool });
      port.setupTxQueue(queue);
    }
  }

  /** Log lines that match. */
  logged(pattern: RegExp): string[] {
    return this.lines.filter((line) => pattern.test(line));
  }

  async close(): Promise<void> {
    await this.bystander.close();
    await this.eal.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function held(): Held {
  return { fds: readdirSync('/proc/self/fd').length, maps: sharedFileMaps(process.pid).length };
}

/** Waits for something that a port does by itself: at first turn by turn, since most of it takes one. */
export async function until(what: string, probe: () => boolean, timeout = 3000): Promise<void> {
  for (const impatient = performance.now() + 5; performance.now() < impatient; await setImmediate()) {
    if (probe()) return;
  }
  await waitUntil(what, timeout, probe, 2);
}

/** Resident memory of this process, bytes. */
export function residentBytes(): number {
  const pages = Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[1]);
  return pages * 4096;
}
