/**
 * A disk instead of a network card: QEMU's vhost-user-blk-pci in front of examples/vhost-user-blk.ts. The guest reads the whole disk,
 * writes to it and reads it again; both sides must have the same bytes. Rows A71 and A79 of the vhost library: features, messages and
 * requests of a device type of one's own.
 */
import { createHash, randomFillSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { repoRoot } from '../harness/paths.js';
import type { ManagedProcess } from '../harness/process.js';
import { startGuest } from '../harness/qemu.js';
import { ResourceWatch } from '../harness/resource-watch.js';
import { describePeer, scenario } from '../harness/scenario.js';
import type { Scope } from '../harness/scope.js';

const MIB = 1 << 20;
const DISK_MIB = 24;

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** The example, serving a file of random bytes. */
async function startDisk(
  scope: Scope,
  ...options: string[]
): Promise<{ child: ManagedProcess; file: string; socket: string }> {
  const [file, socket] = [scope.path('disk0.img'), scope.path('s0')];
  writeFileSync(file, randomFillSync(new Uint8Array(DISK_MIB * MIB)));
  const child = scope.start({
    name: 'disk',
    command: process.execPath,
    args: [join(repoRoot, 'examples/dist/vhost-user-blk.js'), file, socket, ...options],
  });
  await child.waitFor(/sectors of/, 20_000);
  return { child, file, socket };
}

const diskArgs = (socket: string, ...properties: string[]) => [
  '-chardev',
  `socket,id=disk0,path=${socket}`,
  '-device',
  ['vhost-user-blk-pci', 'chardev=disk0', 'vectors=0', ...properties].join(','),
];

const MODULES = ['virtio_pci', 'virtio_blk'];

/** Reads all, overwrites 8 MiB in the middle in pieces of several sizes and a few single sectors, reads all again. */
const SCRIPT = `
  disk=/dev/vda
  [ -b $disk ] || exit 2
  mark SECTORS $(cat /sys/block/vda/size)
  mark SERIAL $(cat /sys/block/vda/serial)
  mark QUEUES $(ls /sys/block/vda/mq | wc -l)
  mark BEFORE $(sha256sum $disk | cut -d' ' -f1)
  dd if=/dev/urandom of=/tmp/new bs=1M count=8 2>/dev/null
  dd if=/tmp/new of=$disk bs=1M seek=7 count=4 conv=notrunc,fsync 2>/dev/null || exit 3
  dd if=/tmp/new of=$disk bs=4k skip=1024 seek=2816 count=1024 conv=notrunc,fsync 2>/dev/null || exit 4
  for at in 0 1 77 49151; do
    dd if=/tmp/new of=$disk bs=512 skip=$((at % 1000)) seek=$at count=1 conv=notrunc,fsync 2>/dev/null || exit 5
  done
  # Beyond the end: the guest's kernel refuses by itself; the device is asked for the last sector only.
  dd if=/tmp/new of=$disk bs=512 seek=49152 count=1 conv=notrunc,fsync 2>/dev/null && exit 6
  sync; echo 3 >/proc/sys/vm/drop_caches
  # Both queues at once.
  sha256sum $disk >/tmp/a & sha256sum $disk >/tmp/b; wait
  cmp /tmp/a /tmp/b || exit 7
  mark AFTER $(cut -d' ' -f1 /tmp/a)`;

describePeer(['qemu'], 'QEMU vhost-user-blk against the disk example', () => {
  for (const packed of [false, true]) {
    const layout = packed ? 'packed' : 'split';
    scenario(`A71: a guest reads and writes the disk, ${layout} rings, 2 queues`, 120_000, async (scope) => {
      const { child, file, socket } = await startDisk(scope, '--queues', '2');
      const before = sha256(readFileSync(file));
      const watch = new ResourceWatch(child);
      const guest = startGuest(scope, {
        nics: [],
        smp: 2,
        modules: MODULES,
        qemuArgs: diskArgs(socket, 'num-queues=2', `packed=${packed ? 'on' : 'off'}`),
        script: SCRIPT,
      });
      expect(await guest.finish(90_000)).toBe(0);
      const said = (word: string) => new RegExp(`^@@${word} (.*)$`, 'm').exec(guest.output())?.[1];
      expect(said('SECTORS')).toBe(String((DISK_MIB * MIB) / 512));
      expect(said('SERIAL')).toBe('disk0.img');
      expect(said('QUEUES')).toBe('2');
      expect(said('BEFORE')).toBe(before);
      const after = sha256(readFileSync(file));
      expect(after).not.toBe(before);
      expect(said('AFTER')).toBe(after);
      await child.waitFor(/device \d+ stopped/, 10_000);
      const features = /features 0x([0-9a-f]+)/.exec(
        [...child.text.matchAll(/features 0x[0-9a-f]+/g)].at(-1)?.[0] ?? '',
      );
      expect((BigInt(`0x${features?.[1]}`) >> 34n) & 1n).toBe(packed ? 1n : 0n);
      expect(child.text).not.toMatch(/problem|failed|broken/);
      await watch.check('after the guest');
      child.signal('SIGTERM');
      expect((await child.exited).code).toBe(0);
    });
  }
});
