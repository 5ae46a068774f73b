/** net_virtio_user against the conformance suite, with packed rings; the other side is our own vhost port, in client mode. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeDriver } from '@pollwire/testkit';
import netVhost from '@pollwire/vhost';
import driver from '@pollwire/virtio';
import { attachPeer } from './port-peer.js';

const dir = mkdtempSync(join(tmpdir(), 'pw-virtio-'));
const socketOf = (n: number) => join(dir, `sock${n}`);

describeDriver({
  driver,
  devargs: (n) => `,path=${socketOf(n)},server=1,queues=2,packed_vq=1`,
  refused: [
    ['', /path/],
    [`,path=${socketOf(99)}`, /server=1/],
    [`,path=${socketOf(99)},queues=129`, /queues.*129/],
    [`,path=${dir},server=1`, /directory/],
  ],
  pairs: 2,
  peerDrivers: [netVhost],
  peer: (port, n, eal) =>
    attachPeer(eal, `net_vhost${n},iface=${socketOf(n)},queues=2,client=1`, port.queueStats().rx.length),
});
