/** Turns what was thrown into text: one line for the user, DPDK's errno words where DPDK prints them. */
import { PollwireError } from '@pollwire/native';

export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Negative errno, -22 (EINVAL) when the error has none: what DPDK prints behind `diag=`. */
export function errnoOf(thrown: unknown): number {
  return thrown instanceof PollwireError ? thrown.errno : -22;
}

/** DPDK's words for "the driver cannot", else the error's own sentence. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof PollwireError && thrown.code === 'PORT_ENOTSUP'
    ? 'Operation not supported'
    : messageOf(thrown);
}

export const isUnsupported = (thrown: unknown): boolean =>
  thrown instanceof PollwireError && thrown.code === 'PORT_ENOTSUP';
