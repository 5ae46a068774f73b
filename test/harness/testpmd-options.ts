/** What a test says about a testpmd it wants, DPDK's or ours; dpdk.ts and pollwire.ts turn it into a command line. */

export type ForwardMode =
  | 'io'
  | 'mac'
  | 'macswap'
  | 'rxonly'
  | 'txonly'
  | 'flowgen'
  | 'icmpecho'
  | 'csum'
  | '5tswap'
  | 'noisy';

export interface TestpmdOptions {
  /** Name in messages and, made unique, the file prefix. */
  name: string;
  /** `--vdev` values, in port order. */
  vdevs: readonly string[];
  forward: ForwardMode;
  /** Start forwarding at once; otherwise the test sends `start`. Default false. */
  autoStart?: boolean;
  /** Receive and transmit queues of each port, default 1. */
  queues?: number;
  /**
   * The lcore (0 or 1) that runs the prompt. The other one polls, so two processes that face each other take different
   * ones and do not share a CPU. Default 0.
   */
  mainLcore?: 0 | 1;
  /** Real hugepages instead of ordinary memory. Default false. */
  hugepages?: boolean;
  /** Memory in MiB, default 300. */
  memoryMiB?: number;
  /** Buffers of the pool, default 16384. */
  mbufs?: number;
  /** Further EAL arguments. */
  ealArgs?: readonly string[];
  /** Further application arguments. */
  appArgs?: readonly string[];
}

/** The arguments after `--`, the same for both programs. */
export function applicationArgs(options: TestpmdOptions): string[] {
  const queues = options.queues ?? 1;
  return [
    '-i',
    `--forward-mode=${options.forward}`,
    ...(options.autoStart === true ? ['--auto-start'] : []),
    `--rxq=${queues}`,
    `--txq=${queues}`,
    `--total-num-mbufs=${options.mbufs ?? 16384}`,
    ...(options.appArgs ?? []),
  ];
}

/** Lcores 0 and 1, or both on the only CPU. */
export function lcoreArgs(options: TestpmdOptions): string[] {
  return ['-l', '0,1', '--main-lcore', String(options.mainLcore ?? 0)];
}

let serial = 0;

/** A file prefix that no other process uses. */
export function uniquePrefix(): string {
  serial += 1;
  return `pw${process.pid}n${serial}`;
}
