// A disk for a virtual machine, served from a file through a vhost-user socket, until Ctrl-C:
//   node vhost-user-blk.js FILE [SOCKET] [--queues N] [--read-only]
// QEMU: -chardev socket,id=d0,path=SOCKET -device vhost-user-blk-pci,chardev=d0,num-queues=N
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { RING_FEATURES, VhostSocket } from '@pollwire/vhost';
import { Disk } from './virtio-blk.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { queues: { type: 'string', default: '1' }, 'read-only': { type: 'boolean', default: false } },
});
const [path, socketPath = '/tmp/disk0'] = positionals;
if (path === undefined) {
  console.error('usage: node vhost-user-blk.js FILE [SOCKET] [--queues N] [--read-only]');
  process.exit(2);
}
const queues = Number(values.queues);
const readOnly = values['read-only'];
const file = await open(path, readOnly ? 'r' : 'r+');
const { size } = await file.stat();
const disk = new Disk(file, size, { readOnly, queues, serial: basename(path) });

const socket = new VhostSocket(socketPath, {
  device: 'other',
  rings: queues,
  features: RING_FEATURES | disk.features,
  config: { read: () => disk.config() },
  request: (request) => disk.handle(request),
});
socket
  .on('new_device', (device) =>
    console.log(`device ${device.id}: features 0x${device.features.toString(16)}`),
  )
  .on('destroy_device', (device) => console.log(`device ${device.id} stopped`))
  .on('problem', (text) => console.error(text));

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());
const ended = socket.run({ signal: stop.signal });
console.log(`${disk.sectors} sectors of ${path} at ${socketPath}`);
await ended;
await file.close();
