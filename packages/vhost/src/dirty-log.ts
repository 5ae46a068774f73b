/**
 * Where a program says which guest memory it has written by itself, beside bursts and requests: DPDK's rte_vhost_log_write. Held by
 * VhostDevice; whoever serves VHOST_F_LOG_ALL puts one there while a front-end logs.
 */
export interface DirtyLog {
  /** Marks the pages of `length` bytes at a guest-physical address. After the write, before the driver hears of it. */
  write(guestAddr: bigint, length: number): void;
}
