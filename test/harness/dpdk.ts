/** Starts DPDK's own testpmd, as a vhost-user back-end (net_vhost) or front-end (net_virtio_user). */
import { mkdirSync } from 'node:fs';
import { dpdkTestpmd } from './peers.js';
import type { Scope } from './scope.js';
import type { TestpmdOptions } from './testpmd-options.js';
import { applicationArgs, lcoreArgs, uniquePrefix } from './testpmd-options.js';
import { TestpmdSession } from './testpmd-session.js';

/** Options of `net_virtio_user`; absent ones keep DPDK's defaults. */
export interface VirtioUserOptions {
  queues?: number;
  queueSize?: number;
  packed?: boolean;
  mergeable?: boolean;
  inOrder?: boolean;
  server?: boolean;
  mac?: string;
}

/** `net_virtio_user<index>,path=...` */
export function virtioUser(index: number, path: string, options: VirtioUserOptions = {}): string {
  const flag = (value: boolean | undefined) => (value === undefined ? undefined : Number(value));
  const args = {
    path,
    queues: options.queues,
    queue_size: options.queueSize,
    packed_vq: flag(options.packed),
    mrg_rxbuf: flag(options.mergeable),
    in_order: flag(options.inOrder),
    server: flag(options.server),
    mac: options.mac,
  };
  const given = Object.entries(args).filter(([, value]) => value !== undefined);
  return [`net_virtio_user${index}`, ...given.map(([key, value]) => `${key}=${value}`)].join(',');
}

/** `net_vhost<index>,iface=...`; the same devargs for DPDK's driver and for ours. */
export function vhost(
  index: number,
  iface: string,
  options: { queues?: number; client?: boolean } = {},
): string {
  const queues = options.queues === undefined ? '' : `,queues=${options.queues}`;
  return `net_vhost${index},iface=${iface}${queues}${options.client === true ? ',client=1' : ''}`;
}

/** Starts dpdk-testpmd in the scope and waits for its prompt. */
export async function startDpdk(scope: Scope, options: TestpmdOptions): Promise<TestpmdSession> {
  const program = dpdkTestpmd();
  if (program === undefined)
    throw new Error('no dpdk-testpmd: call describePeer("dpdk", ...) around this test');
  const prefix = uniquePrefix();
  const runtime = scope.path(`dpdk-${prefix}`);
  mkdirSync(runtime);
  const memory = String(options.memoryMiB ?? 300);
  const child = scope.start({
    name: options.name,
    command: 'stdbuf',
    args: [
      '-oL',
      program,
      ...lcoreArgs(options),
      // --no-huge implies legacy memory, which excludes --in-memory.
      ...(options.hugepages === true ? ['--in-memory', '--single-file-segments'] : ['--no-huge']),
      '-m',
      memory,
      '--no-pci',
      '--no-telemetry',
      `--file-prefix=${prefix}`,
      ...options.vdevs.flatMap((vdev) => ['--vdev', vdev]),
      ...(options.ealArgs ?? []),
      '--',
      ...applicationArgs(options),
    ],
    // DPDK keeps its lock and sockets here instead of /var/run/dpdk, and they go with the scope.
    env: { RUNTIME_DIRECTORY: runtime },
  });
  return TestpmdSession.open(child);
}
