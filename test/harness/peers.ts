/**
 * Which real peers this machine has. A missing peer is a reason to skip, with the command that brings it; with
 * POLLWIRE_REQUIRE_PEERS=1 (as in .ci/run) it is an error.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { findProgram } from './paths.js';

export type PeerName = 'dpdk' | 'qemu' | 'ipxe' | 'hugepages' | 'net-admin' | 'tap';

interface Peer {
  /** What is missing, or undefined when the peer can be used. */
  missing: () => string | undefined;
  remedy: string;
  /** True when what is missing is a property of the machine rather than a program or a right: not insisted on. */
  optional?: () => boolean;
}

/** The dpdk-testpmd to run: POLLWIRE_DPDK_TESTPMD, else the one on PATH. */
export function dpdkTestpmd(): string | undefined {
  return findProgramOr('POLLWIRE_DPDK_TESTPMD', 'dpdk-testpmd');
}

/** The QEMU to run: POLLWIRE_QEMU, else qemu-system-x86_64 on PATH. */
export function qemuProgram(): string | undefined {
  return findProgramOr('POLLWIRE_QEMU', 'qemu-system-x86_64');
}

/** Major and minor version of the QEMU in use. */
export function qemuVersion(): [number, number] {
  const text = execFileSync(qemuProgram() ?? 'qemu-system-x86_64', ['--version'], { encoding: 'utf8' });
  const match = /version (\d+)\.(\d+)/.exec(text);
  return [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0)];
}

/** Free 2 MiB hugepages. */
export function freeHugepages(): number {
  const match = /^HugePages_Free:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'));
  return Number(match?.[1] ?? 0);
}

const TUN_NODE = '/dev/net/tun';

/** Bits of /proc/self/status, capabilities(7). */
const CAPABILITIES = { CAP_NET_ADMIN: 12, CAP_NET_RAW: 13, CAP_SYS_ADMIN: 21 };

/** What making interfaces and network namespaces lacks. */
function missingRights(): string | undefined {
  const status = readFileSync('/proc/self/status', 'utf8');
  const effective = BigInt(`0x${/^CapEff:\s*(\w+)$/m.exec(status)?.[1] ?? '0'}`);
  const absent = Object.entries(CAPABILITIES)
    .filter(([, bit]) => ((effective >> BigInt(bit)) & 1n) === 0n)
    .map(([name]) => name);
  if (findProgram('ip') === undefined) absent.push('ip');
  return absent.length === 0 ? undefined : `no ${absent.join(', ')}`;
}

const peers: Record<PeerName, Peer> = {
  dpdk: {
    missing: () => (dpdkTestpmd() === undefined ? 'no dpdk-testpmd' : undefined),
    remedy: 'apt-get install dpdk-dev, or set POLLWIRE_DPDK_TESTPMD',
  },
  qemu: {
    missing: () => missingProgram(qemuProgram(), 'busybox', 'cpio', 'modprobe', 'ethtool'),
    remedy: 'apt-get install qemu-system-x86 busybox-static cpio kmod ethtool',
  },
  ipxe: {
    missing: () => missingProgram(qemuProgram()),
    remedy: 'apt-get install qemu-system-x86 ipxe-qemu',
  },
  hugepages: {
    missing: () => (freeHugepages() < 256 ? `${freeHugepages()} free hugepages of 256 needed` : undefined),
    remedy: 'echo 512 > /proc/sys/vm/nr_hugepages',
    optional: () => true,
  },
  'net-admin': {
    missing: missingRights,
    remedy:
      'run the tests as root (in a container with CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYS_ADMIN), and apt-get install iproute2',
  },
  tap: {
    missing: () => (existsSync(TUN_NODE) ? missingRights() : `no ${TUN_NODE}`),
    remedy: `run the tests as root, with ${TUN_NODE} (modprobe tun, or --device ${TUN_NODE} for a container), and apt-get install iproute2`,
    optional: () => !existsSync(TUN_NODE),
  },
};

/**
 * Undefined when the peer can be used, else why it cannot and how to get it.
 *
 * @throws Error instead of returning a reason when POLLWIRE_REQUIRE_PEERS=1 (except for hugepages)
 */
export function requirePeer(name: PeerName): string | undefined {
  const missing = peers[name].missing();
  if (missing === undefined) return undefined;
  const reason = `${missing}: ${peers[name].remedy}`;
  if (process.env.POLLWIRE_REQUIRE_PEERS === '1' && peers[name].optional?.() !== true) {
    throw new Error(`POLLWIRE_REQUIRE_PEERS=1 and peer ${name} is not usable: ${reason}`);
  }
  return reason;
}

function findProgramOr(variable: string, name: string): string | undefined {
  const chosen = process.env[variable];
  if (chosen === undefined || chosen === '') return findProgram(name);
  return existsSync(chosen) ? chosen : undefined;
}

function missingProgram(qemu: string | undefined, ...programs: string[]): string | undefined {
  const absent = programs.filter((program) => findProgram(program) === undefined);
  if (qemu === undefined) absent.unshift('qemu-system-x86_64');
  return absent.length === 0 ? undefined : `no ${absent.join(', ')}`;
}
