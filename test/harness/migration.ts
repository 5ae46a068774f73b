/** Live migration between two QEMUs by QMP: precopy, postcopy, and one that is given up. Used by the interop tests. */
import type { QemuGuest } from './qemu.js';
import { waitUntil } from './wait.js';

const MIB = 1 << 20;

export interface MigrationOptions {
  /** Unix socket that the memory goes through. */
  path: string;
  /** MiB/s, default 200. */
  bandwidth?: number;
  /** Longest stop of the guest that QEMU aims at, ms, default 300. */
  downtimeMs?: number;
  /** Switch to postcopy as soon as the first pages went. Default false. */
  postcopy?: boolean;
  timeoutMs?: number;
}

/** Of QEMU's query-migrate. */
export interface MigrationResult {
  totalMs: number;
  downtimeMs: number;
  /** Times that the dirty bitmap was taken. */
  syncs: number;
  /** Pages that the destination asked for. */
  postcopyRequests: number;
  transferredBytes: number;
}

interface MigrateInfo {
  status?: string;
  'error-desc'?: string;
  'total-time'?: number;
  downtime?: number;
  ram?: { 'dirty-sync-count'?: number; transferred?: number; 'postcopy-requests'?: number };
}

const info = async (guest: QemuGuest) => (await guest.qmp('query-migrate')) as MigrateInfo;

async function begin(from: QemuGuest, to: QemuGuest, options: MigrationOptions): Promise<void> {
  const { path, bandwidth = 200, downtimeMs = 300, postcopy = false } = options;
  const parameters = { 'max-bandwidth': bandwidth * MIB, 'downtime-limit': downtimeMs };
  if (postcopy) {
    const capabilities = [{ capability: 'postcopy-ram', state: true }];
    await to.qmp('migrate-set-capabilities', { capabilities });
    await from.qmp('migrate-set-capabilities', { capabilities });
  }
  // Postcopy at the same rate: without a limit the rest is there before anybody misses it.
  if (postcopy) Object.assign(parameters, { 'max-postcopy-bandwidth': bandwidth * MIB });
  await from.qmp('migrate-set-parameters', parameters);
  await to.qmp('migrate-incoming', { uri: `unix:${path}` });
  await from.qmp('migrate', { uri: `unix:${path}` });
}

/** Moves the guest and waits until it runs in `to`, which was started with `-incoming defer`. */
export async function migrate(
  from: QemuGuest,
  to: QemuGuest,
  options: MigrationOptions,
): Promise<MigrationResult> {
  await begin(from, to, options);
  if (options.postcopy === true) {
    await waitUntil(
      'the first pages to go',
      20_000,
      async () => ((await info(from)).ram?.transferred ?? 0) > 0,
    );
    await from.qmp('migrate-start-postcopy');
  }
  const done = await waitUntil('the migration to complete', options.timeoutMs ?? 60_000, async () => {
    const now = await info(from);
    if (now.status === 'failed' || now.status === 'cancelled' || now.status === 'postcopy-paused') {
      throw new Error(`migration ${now.status}: ${now['error-desc'] ?? 'no reason given'}`);
    }
    return now.status === 'completed' ? now : undefined;
  });
  await waitUntil('the guest to run at its destination', 20_000, async () => {
    return ((await to.qmp('query-status')) as { status: string }).status === 'running';
  });
  return {
    totalMs: done['total-time'] ?? 0,
    downtimeMs: done.downtime ?? 0,
    syncs: done.ram?.['dirty-sync-count'] ?? 0,
    postcopyRequests: done.ram?.['postcopy-requests'] ?? 0,
    transferredBytes: done.ram?.transferred ?? 0,
  };
}

/** Begins to move the guest at a rate at which it takes long, lets `during` happen, and gives up. */
export async function cancelledMigration(
  from: QemuGuest,
  to: QemuGuest,
  path: string,
  during: () => Promise<void>,
): Promise<void> {
  await begin(from, to, { path, bandwidth: 1 });
  await waitUntil('the migration to be active', 20_000, async () => (await info(from)).status === 'active');
  await during();
  await from.qmp('migrate_cancel');
  await waitUntil('the migration to end', 20_000, async () => (await info(from)).status === 'cancelled');
}
