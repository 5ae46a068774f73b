/**
 * The quick form of the interoperability matrix (`npm run matrix -- --quick` prints it as a table): four ring kinds, four frame
 * sizes, both directions, with DPDK on either side and with ourselves in one process and in two.
 */
import { describe, expect, test } from 'vitest';
import { startDpdk, vhost, virtioUser } from '../harness/dpdk.js';
import { startPollwire } from '../harness/pollwire.js';
import { describePeer, scenario } from '../harness/scenario.js';
import { benches } from '../matrix/benches.js';
import { quickRings, ringName } from '../matrix/cells.js';
import { runGroup } from '../matrix/group.js';

for (const bench of benches) {
  const cells = () => {
    for (const ring of quickRings) {
      test(ringName(ring), { timeout: 150_000 }, async () => {
        const outcomes = await runGroup(bench, ring);
        const faults = outcomes.filter((one) => one.fault !== undefined);
        const lines = faults.map((one) => `${one.direction} ${one.size} bytes: ${one.fault}`);
        expect(lines, faults[0]?.report).toEqual([]);
        expect(outcomes).toHaveLength(8);
        expect(outcomes.every(({ evidence }) => evidence.packets >= 1500)).toBe(true);
      });
    }
  };
  const title = `matrix: ${bench.pairings.join(' and ')}, ${bench.name}`;
  if (bench.needsDpdk) describePeer('dpdk', title, cells);
  else describe(title, cells);
}

describePeer('dpdk', 'our virtio-user port and what its device has', () => {
  scenario(
    '--rxd=512 against rings of 256 warns and works, and the port shows its rings',
    60_000,
    async (scope) => {
      const socket = scope.path('s0');
      const device = await startDpdk(scope, {
        name: 'vhost',
        vdevs: [vhost(0, socket)],
        forward: 'macswap',
        autoStart: true,
      });
      const session = await startPollwire(scope, {
        name: 'virtio',
        vdevs: [virtioUser(0, socket, { packed: true, mergeable: false })],
        forward: 'flowgen',
        mainLcore: 1,
        appArgs: ['--rxd=512', '--txd=512'],
      });
      expect(session.text).toMatch(/ring 0 has 256 descriptors, not 512/);
      expect(session.text).toMatch(/ring 1 has 256 descriptors, not 512/);
      expect(await session.command('show rxq info 0 0')).toMatch(/Number of RXDs: 256/);
      await session.waitLink(0, 'up', 10_000);
      await session.startForwarding();
      await session.waitReceived(0, 5000, 10_000);
      const info = await session.command('show port info 0');
      expect(info).toMatch(/ring: packed/);
      expect(info).toMatch(/queue_size: 256/);
      expect(info).toMatch(/features: 0x[0-9a-f]+ \(.*VIRTIO_F_RING_PACKED.*\)/);
      expect(info).toMatch(/features: .*VIRTIO_F_IN_ORDER/);
      expect(info).not.toMatch(/features: .*VIRTIO_NET_F_MRG_RXBUF/);
      expect(info).toMatch(/running: 1/);
      await session.stopForwarding();
      await device.stopForwarding();
    },
  );
});
