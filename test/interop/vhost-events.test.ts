/**
 * The vhost library under QEMU's real order of messages: which events come, that none is lost or said twice, that the state is whole at
 * each of them; and what it says of a guest whose memory cannot be seen. Rows A18, A20, A21, A30, A35 to A37, A50, A73 to A78, A97, A106.
 */
import type { VhostDevice } from '@pollwire/vhost';
import { descriptionLines, VhostSocket } from '@pollwire/vhost';
import { expect } from 'vitest';
import type { QemuGuest } from '../harness/qemu.js';
import { startGuest, startIpxe } from '../harness/qemu.js';
import { describePeer, scenario } from '../harness/scenario.js';
import type { Scope } from '../harness/scope.js';
import { waitUntil } from '../harness/wait.js';

interface Watched {
  socket: VhostSocket;
  /** Events in order, as `name what`. */
  log: string[];
  problems: string[];
  /** What an event found that did not fit together. */
  contradictions: string[];
}

/** Listens at `path` and checks at every event that everything fits together. */
function listen(scope: Scope, path: string): Watched {
  const socket = new VhostSocket(path, { queuePairs: 2 });
  const watched: Watched = { socket, log: [], problems: [], contradictions: [] };
  const { log, contradictions } = watched;
  const reported = new Map<number, boolean>();
  let announced = false;
  const must = (condition: boolean, what: string) => {
    if (!condition) contradictions.push(`after [${log.slice(-3).join(', ')}]: ${what}`);
  };
  const check = (device: VhostDevice) => {
    must(socket.device === device || socket.device === undefined, 'another device');
    must(
      device.ready === (device.whyNotReady() === undefined),
      `ready ${device.ready}, ${device.whyNotReady()}`,
    );
    for (const ring of device.rings) {
      must(
        ring.ready === (ring.missing === undefined),
        `ring ${ring.index} ready ${ring.ready}: ${ring.missing}`,
      );
    }
    must(
      !device.ready || (device.rings[0]?.ready === true && device.rings[1]?.ready === true),
      'ready without rings',
    );
  };
  socket
    .on('new_connection', () => {
      log.push('new_connection');
      reported.clear();
    })
    .on('vring_state_changed', (device, ring, ready) => {
      log.push(`vring ${ring} ${ready}`);
      must((reported.get(ring) ?? false) !== ready, `ring ${ring} was said to be ${ready} before`);
      reported.set(ring, ready);
      must(device.rings[ring]?.ready === ready, `ring ${ring} is not ${ready}`);
      check(device);
    })
    .on('new_device', (device) => {
      log.push('new_device');
      must(!announced && device.ready, 'new_device');
      announced = true;
      check(device);
    })
    .on('destroy_device', (device) => {
      log.push('destroy_device');
      must(announced && !device.ready, 'destroy_device');
      announced = false;
      check(device);
    })
    .on('features_changed', (device, features) => {
      log.push('features_changed');
      must(device.features === features, 'features');
    })
    .on('destroy_connection', () => {
      log.push('destroy_connection');
      must(!announced, 'destroy_connection before destroy_device');
      must(
        [...reported.values()].every((ready) => !ready),
        'rings that were never said to stop',
      );
    })
    .on('problem', (text) => watched.problems.push(text));
  scope.onClose(() => socket.close());
  scope.onReport(() => `--- events\n${log.join('\n')}\n${descriptionLines(socket.describe()).join('\n')}`);
  socket.start();
  return watched;
}

const quit = (guest: QemuGuest) => guest.qmp('quit').catch(() => undefined);

describePeer(['qemu'], 'events of the vhost library with QEMU', () => {
  scenario(
    'A73 to A78: two queue pairs, two boots, one stop: nothing lost, nothing twice',
    120_000,
    async (scope) => {
      const path = scope.path('s0');
      const { socket, log, contradictions, problems } = listen(scope, path);
      const guest = startGuest(scope, {
        nics: [{ socket: path, queues: 2, rom: true }],
        reboot: true,
        script: `
        ip link set eth0 up; wait_carrier eth0 1 10 || exit 2
        ethtool -L eth0 combined 2 || exit 3
        mark UP; wait_host; ethtool -L eth0 combined 1; mark ONE; wait_host`,
      });
      let from = 0;
      const mark = async (word: string) => {
        const match = await guest.waitOutput(new RegExp(`@@${word}`), 60_000, from);
        from = match.index + match[0].length;
      };
      await mark('UP');
      const allReady = () => socket.device?.rings.every((ring) => ring.ready);
      await waitUntil('4 rings ready', 5000, () => allReady());
      // QEMU says SET_VRING_ENABLE far more often than anything changes.
      const enables = () =>
        (socket.device?.session?.trace.entries ?? [])
          .filter(({ dir, name }) => dir === 'in' && name === 'SET_VRING_ENABLE')
          .reduce((sum, { count }) => sum + count, 0);
      expect(enables()).toBeGreaterThan(log.filter((line) => line.startsWith('vring')).length);
      await guest.send('one');
      await mark('ONE');
      await waitUntil(
        '2 rings ready',
        5000,
        () => socket.device?.rings.filter((ring) => ring.ready).length === 2,
      );
      await guest.qmp('system_reset');
      await waitUntil('the device to stop', 10_000, () => socket.device?.ready === false);
      await mark('UP');
      await waitUntil('4 rings ready again', 5000, () => allReady());
      // A74: a stopped machine stops its device, and goes on.
      await guest.qmp('stop');
      await waitUntil('the device to stop with the machine', 5000, () => socket.device?.ready === false);
      await guest.qmp('cont');
      await waitUntil('the device to go on', 5000, () => socket.device?.ready === true);
      await quit(guest);
      await waitUntil('the end', 10_000, () => log.at(-1) === 'destroy_connection');
      expect(contradictions).toEqual([]);
      expect(problems).toEqual([]);
      const count = (name: string) => log.filter((line) => line === name).length;
      expect(count('new_connection')).toBe(1);
      expect(count('new_device')).toBeGreaterThanOrEqual(3);
      expect(count('destroy_device')).toBe(count('new_device'));
      expect(count('vring 3 true')).toBeGreaterThanOrEqual(2);
      expect(socket.describe().missing).toMatch(
        /listening at .*; the last connection ended at .*: the peer closed/,
      );
    },
  );
});

describePeer(['ipxe'], 'memory that cannot be seen, with QEMU', () => {
  scenario('A50, A106: share=off is told in one line', 60_000, async (scope) => {
    const path = scope.path('s0');
    const { socket, problems } = listen(scope, path);
    const machine = startIpxe(scope, { nic: { socket: path }, memory: 'private' });
    await waitUntil('the diagnosis', 40_000, () => problems.find((line) => /share=off/.test(line)));
    expect(problems.filter((line) => /share=off/.test(line))[0]).toMatch(
      /the driver kicked ring \d, but all its rings are blank here: the guest's memory is private \(share=off\); give .*share=on/,
    );
    expect(socket.describe().missing).toMatch(/share=off/);
    await quit(machine);
  });

  scenario('A50, A106: so is memory without a file', 60_000, async (scope) => {
    const path = scope.path('s0');
    const { socket } = listen(scope, path);
    const machine = startIpxe(scope, { nic: { socket: path }, memory: 'plain' });
    const missing = await waitUntil('the diagnosis', 40_000, () => {
      const { missing } = socket.describe();
      return missing !== undefined && /shares no guest memory/.test(missing) ? missing : undefined;
    });
    expect(missing).toMatch(/SET_MEM_TABLE.*memory-backend-memfd.*share=on/);
    await quit(machine);
  });
});
