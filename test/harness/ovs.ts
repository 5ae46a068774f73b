/**
 * Open vSwitch with DPDK in a folder of its own: database, switch and sockets live in a scope and end with it, and no service of the
 * machine is touched. Used by interop/ovs.test.ts.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'vitest';
import { findProgram } from './paths.js';
import type { ManagedProcess } from './process.js';
import type { Scope } from './scope.js';
import { waitUntil } from './wait.js';

const switchProgram = '/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk';
const schema = '/usr/share/openvswitch/vswitch.ovsschema';
const tools = ['ovsdb-tool', 'ovsdb-server', 'ovs-vsctl', 'ovs-ofctl'];

/** Packets and bytes that a port of the switch has seen. */
export interface SwitchPortStats {
  rxPackets: number;
  rxBytes: number;
  txPackets: number;
  txBytes: number;
}

/** A group of tests that needs Open vSwitch; skipped without it, or a failure with POLLWIRE_REQUIRE_PEERS=1. */
export function describeOvs(name: string, body: () => void): void {
  const absent = tools.filter((tool) => findProgram(tool) === undefined);
  if (!existsSync(switchProgram)) absent.push('ovs-vswitchd-dpdk');
  if (absent.length === 0) {
    describe(name, body);
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
      'other_config:dpdk-extra="--no-pci --no-huge -m 512 --no-telemetry"',
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

  /** Adds a port whose other end is a virtio-user port: connecting to `path`, or listening on `dir`/`name` without one. */
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
  }

  /** Counters of a port, as they are now. */
  portStats(name: string): SwitchPortStats {
    const text = this.#run('ovs-ofctl', 'dump-ports', `unix:${join(this.dir, 'br0.mgmt')}`, name);
    const count = (direction: string) => {
      const match = new RegExp(`${direction} pkts=(\\d+), bytes=(\\d+)`).exec(text);
      if (match === null) throw new Error(`no ${direction} counters of ${name} in: ${text}`);
      return [Number(match[1]), Number(match[2])] as const;
    };
    const [rxPackets, rxBytes] = count('rx');
    const [txPackets, txBytes] = count('tx');
    return { rxPackets, rxBytes, txPackets, txBytes };
  }

  /** Ends the switch in order; the database stays. */
  async stopSwitch(): Promise<void> {
    await this.#switch?.stop();
  }

  #run(tool: string, ...args: string[]): string {
    return execFileSync(findProgram(tool) ?? tool, args, {
      env: { ...process.env, ...this.#env },
      encoding: 'utf8',
      timeout: 40_000,
    });
  }
}
