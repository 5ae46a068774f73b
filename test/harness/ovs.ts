/**
 * Open vSwitch with DPDK in a folder of its own: database, switch and sockets live in a scope and end with it, and no service of the
 * machine is touched. Used by interop/ovs.test.ts.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'vitest';
import { findProgram } from './paths.js';
import { freeHugepages } from './peers.js';
import type { ManagedProcess } from './process.js';
import type { Scope } from './scope.js';
import { waitUntil } from './wait.js';

const switchProgram = '/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk';
const schema = '/usr/share/openvswitch/vswitch.ovsschema';
/** Of 2 MiB, for the 512 MiB that the switch is given. */
const hugepages = 256;
const tools = ['ovsdb-tool', 'ovsdb-server', 'ovs-vsctl', 'ovs-ofctl'];

/** Packets and bytes that a port of the switch has seen. */
export interface SwitchPortStats {
  rxPackets: number;
  rxBytes: number;
  txPackets: number;
  txBytes: number;
}

/**
 * A group of tests that needs Open vSwitch and, because it starts DPDK in memory only, hugepages. Skipped without them; a missing
 * program is a failure with POLLWIRE_REQUIRE_PEERS=1 (hugepages are a property of the machine and never insisted on).
 */
export function describeOvs(name: string, body: () => void): void {
  const absent = tools.filter((tool) => findProgram(tool) === undefined);
  if (!existsSync(switchProgram)) absent.push('ovs-vswitchd-dpdk');
  if (absent.length === 0 && freeHugepages() >= hugepages) {
    describe(name, body);
    return;
  }
  if (absent.length === 0) {
    describe.skip(`${name} [skipped: fewer than ${hugepages} free hugepages]`, body);
    return;
  }
  const reason = `no ${absent.join(', ')}: apt-get install openvswitch-switch openvswitch-switch-dpdk`;
  if (process.env.POLLWIRE_REQUIRE_PEERS === '1') {
    throw new Error(`POLLWIRE_REQUIRE_PEERS=1 and Open vSwitch is not usable: ${reason}`);
  }
  describe.skip(`${name} [skipped: ${reason}]`, body);
}

export class OpenVswitch {
  /** Sockets of `dpdkvhostuser` ports appear here, under the port's name. */
  readonly dir: string;
  readonly #env: Record<string, string>;
  #switch: ManagedProcess | undefined;

  private constructor(dir: string) {
    this.dir = dir;
    this.#env = {
      OVS_RUNDIR: dir,
      OVS_LOGDIR: dir,
      OVS_DBDIR: dir,
      OVS_SYSCONFDIR: dir,
      RUNTIME_DIRECTORY: dir,
    };
  }

  /** Starts database and switch with one userspace bridge, `br0`, and a poll thread on CPU 1. */
  static async start(scope: Scope): Promise<OpenVswitch> {
    const dir = scope.path('ovs');
    mkdirSync(dir);
    const ovs = new OpenVswitch(dir);
    ovs.#run('ovsdb-tool', 'create', join(dir, 'conf.db'), schema);
    const remote = join(dir, 'db.sock');
    scope.start({
      name: 'ovsdb-server',
      command: findProgram('ovsdb-server') ?? 'ovsdb-server',
      args: [join(dir, 'conf.db'), `--remote=punix:${remote}`, `--pidfile=${join(dir, 'ovsdb.pid')}`],
      env: ovs.#env,
    });
    await waitUntil('the database of Open vSwitch', 10_000, () => existsSync(remote));
    ovs.vsctl('--no-wait', 'init');
    ovs.vsctl(
      '--no-wait',
      'set',
      'Open_vSwitch',
      '.',
      'other_config:dpdk-init=true',
      'other_config:dpdk-extra="--no-pci --in-memory -m 512 --no-telemetry"',
      'other_config:pmd-cpu-mask=0x2',
    );
    ovs.#switch = scope.start({
      name: 'ovs-vswitchd',
      command: switchProgram,
      args: [`unix:${remote}`, `--pidfile=${join(dir, 'vswitchd.pid')}`, '--log-file=/dev/null'],
      env: ovs.#env,
    });
    ovs.vsctl('--timeout=30', 'add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath_type=netdev');
    return ovs;
  }

  /** `ovs-vsctl` on this database; waits until the switch has done it unless told otherwise. */
  vsctl(...args: string[]): string {
    return this.#run('ovs-vsctl', `--db=unix:${join(this.dir, 'db.sock')}`, ...args);
  }

  /** Adds a port, with a flow that switches what enters there. It connects to `path`, or listens on `dir`/`name` without one. */
  addPort(name: string, mtu: number, path?: string): void {
    const kind =
      path === undefined
        ? ['type=dpdkvhostuser']
        : ['type=dpdkvhostuserclient', `options:vhost-server-path=${path}`];
    this.vsctl(
      '--timeout=30',
      ...['add-port', 'br0', name, '--', 'set', 'Interface', name],
      ...kind,
      `mtu_request=${mtu}`,
    );
    const error = this.vsctl('get', 'Interface', name, 'error').trim();
    if (error !== '[]') throw new Error(`Open vSwitch cannot add ${name}: ${error}`);
    this.#ofctl('add-flow', `priority=10,in_port=${this.#ofport(name)},actions=NORMAL`);
  }

  /** Counters of a port as they are now; undefined where Open vSwitch has none (3.1: `dpdkvhostuser`). */
  portStats(name: string): SwitchPortStats | undefined {
    const text = this.#ofctl('dump-ports', this.#ofport(name));
    const [rx, tx] = ['rx', 'tx'].map((direction) =>
      new RegExp(`${direction} pkts=(\\d+), bytes=(\\d+)`).exec(text)?.slice(1).map(Number),
    );
    if (rx === undefined || tx === undefined) return undefined;
    const [rxPackets = 0, rxBytes = 0] = rx;
    const [txPackets = 0, txBytes = 0] = tx;
    return { rxPackets, rxBytes, txPackets, txBytes };
  }

  /** What has been switched of all that entered at a port, as the port's flow counts it; some hundred milliseconds late. */
  switchedFrom(name: string): { packets: number; bytes: number } {
    const text = this.#ofctl('dump-flows', `in_port=${this.#ofport(name)}`);
    const match = /n_packets=(\d+), n_bytes=(\d+), .*priority=10,/.exec(text);
    if (match === null) throw new Error(`no flow of ${name} in: ${text}`);
    return { packets: Number(match[1]), bytes: Number(match[2]) };
  }

  /** Ends the switch in order; the database stays. */
  async stopSwitch(): Promise<void> {
    await this.#switch?.stop();
  }

  #ofport(name: string): string {
    return this.vsctl('get', 'Interface', name, 'ofport').trim();
  }

  #ofctl(command: string, ...args: string[]): string {
    return this.#run('ovs-ofctl', '--no-names', command, `unix:${join(this.dir, 'br0.mgmt')}`, ...args);
  }

  #run(tool: string, ...args: string[]): string {
    return execFileSync(findProgram(tool) ?? tool, args, {
      env: { ...process.env, ...this.#env },
      encoding: 'utf8',
      timeout: 40_000,
    });
  }
}
