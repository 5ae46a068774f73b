/**
 * Guest memory that comes and goes while a stream of checked pings runs: QEMU plugs a DIMM in and out, the guest's kernel brings it
 * online and lets go of it, and the back-end maps and unmaps it. Three times; as often as POLLWIRE_HOTPLUGS says. Another guest has its
 * memory in several pieces from the start.
 */
import { expect } from 'vitest';
import { interopBackend } from '../harness/backend.js';
import { vhost } from '../harness/dpdk.js';
import { echoStreamFile, endStream } from '../harness/echo-stream.js';
import type { GuestOptions, QemuGuest } from '../harness/qemu.js';
import { startGuest } from '../harness/qemu.js';
import { describePeer, scenario } from '../harness/scenario.js';
import type { Scope } from '../harness/scope.js';
import type { TestpmdSession } from '../harness/testpmd-session.js';
import { waitUntil } from '../harness/wait.js';

const backend = interopBackend();
const plugs = Number(process.env.POLLWIRE_HOTPLUGS ?? 3);
const MIB = 1024 * 1024;

async function startBoth(
  scope: Scope,
  options: Partial<GuestOptions>,
): Promise<{ session: TestpmdSession; guest: QemuGuest }> {
  const socket = scope.path('s0');
  const session = await backend.start(scope, {
    name: 'back-end',
    vdevs: [vhost(0, socket)],
    forward: 'icmpecho',
    memoryMiB: 64,
    mbufs: 4096,
  });
  // A ring takes nothing while its memory is exchanged, as when it is full: whoever must not lose a packet sends it again.
  await session.command('set fwd icmpecho retry');
  await session.command('set burst tx delay 1000 retry 1000');
  await session.startForwarding();
  const guest = startGuest(scope, {
    nics: [{ socket }],
    files: echoStreamFile(scope),
    // Movable memory is what a guest can give back.
    kernelArgs: 'memhp_default_state=online_movable',
    script: `
      net_up eth0 192.168.77.2 || exit 2
      lossless_ping 3 192.168.77.1 || exit 3
      ( while sleep 0.1; do
          now=$(awk '/MemTotal/ { print $2 }' /proc/meminfo)
          [ "$now" = "$before" ] || mark MEMORY $now
          before=$now
        done ) </dev/null &
      mark TRAFFIC
      echo-stream 192.168.77.1 2000`,
    ...options,
  });
  await guest.waitOutput(/@@TRAFFIC/, 60_000);
  return { session, guest };
}

/** KiB that the guest's kernel has, as it last said. */
function guestMemory(guest: QemuGuest): number {
  return Number([...guest.output().matchAll(/^@@MEMORY (\d+)/gm)].at(-1)?.[1] ?? 0);
}

async function expectUnharmed(session: TestpmdSession, guest: QemuGuest): Promise<void> {
  const report = await endStream(guest);
  const { total } = await session.stopForwarding();
  expect({ corrupted: report.corrupted, duplicates: report.duplicates }).toEqual({
    corrupted: 0,
    duplicates: 0,
  });
  if (plugs > 3) console.log(`${JSON.stringify(report)}, back-end ${JSON.stringify(total)}`);
  expect(total.txDropped).toBe(0);
  // Those that were under way when it ended.
  expect(report.sent - report.received).toBeLessThanOrEqual(8);
  expect(report.received).toBeGreaterThan(100);
  const xstats = await session.xstats(0);
  for (const name of ['rx_q0_ring_broken', 'tx_q0_ring_broken', 'rx_q0_drop_bad_address']) {
    expect(xstats.get(name) ?? 0, name).toBe(0);
  }
  expect(await guest.finish(15_000)).toBe(0);
}

describePeer(['qemu', ...backend.needs], `guest memory against ${backend.kind} vhost`, () => {
  scenario(`a DIMM plugged in and out ${plugs} times`, 90_000 + plugs * 15_000, async (scope) => {
    const { session, guest } = await startBoth(scope, { memorySlots: 8 });
    await waitUntil('the memory that the guest has', 5000, () => guestMemory(guest) > 0);
    const before = guestMemory(guest);
    const maps = session.process.sharedFileMaps().length;
    for (let round = 1; round <= plugs; round += 1) {
      const id = `hot${round}`;
      const dimm = { 'qom-type': 'memory-backend-memfd', id, size: 128 * MIB, share: true };
      await guest.qmp('object-add', dimm);
      await guest.qmp('device_add', { driver: 'pc-dimm', id: `dimm${round}`, memdev: id });
      await waitUntil(`DIMM ${round} in the guest`, 15_000, () => guestMemory(guest) > before + 100 * 1024);
      expect(session.process.sharedFileMaps().length, `mappings with DIMM ${round}`).toBe(maps + 1);
      const { rxPackets } = await session.portStats(0);
      await session.waitReceived(0, 50, 10_000, rxPackets);
      await guest.qmp('device_del', { id: `dimm${round}` });
      await waitUntil(`DIMM ${round} to go`, 20_000, async () => {
        return ((await guest.qmp('query-memory-devices')) as unknown[]).length === 0;
      });
      await guest.qmp('object-del', { id });
      await waitUntil(`the mapping of DIMM ${round} to go`, 5000, () => {
        return session.process.sharedFileMaps().length === maps;
      });
      await waitUntil('the guest to say so', 5000, () => guestMemory(guest) < before + 1024);
    }
    await expectUnharmed(session, guest);
  });

  scenario('in pieces with a gap, and eight DIMMs on top', 90_000, async (scope) => {
    // 3.5 GiB and the gap below 4 GiB need more memory than a test machine has: DIMMs lie behind a gap as well.
    const dimms = Array.from({ length: 8 }, (_, index) => [
      '-object',
      `memory-backend-memfd,id=cold${index},size=32M,share=on`,
      '-device',
      `pc-dimm,id=dimm${index},memdev=cold${index}`,
    ]);
    const { session, guest } = await startBoth(scope, { memorySlots: 8, qemuArgs: dimms.flat() });
    await session.waitReceived(0, 500, 20_000);
    await expectUnharmed(session, guest);
  });
});

describePeer(['qemu', 'hugepages', ...backend.needs], `guest memory on hugetlbfs, ${backend.kind}`, () => {
  scenario('the stream is whole', 90_000, async (scope) => {
    const { session, guest } = await startBoth(scope, { hugepages: true });
    await session.waitReceived(0, 500, 20_000);
    await expectUnharmed(session, guest);
  });
});
