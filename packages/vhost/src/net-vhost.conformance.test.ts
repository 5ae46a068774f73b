/** net_vhost against the conformance suite, with the fake front-end as its guest. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeDriver, FakeFrontend } from '@pollwire/testkit';
import driver from './net-vhost.js';

const dir = mkdtempSync(join(tmpdir(), 'pw-vhost-'));
const socketOf = (n: number) => join(dir, `sock${n}`);
writeFileSync(join(dir, 'file'), '');

describeDriver({
  driver,
  devargs: (n) => `,iface=${socketOf(n)},queues=2`,
  refused: [
    ['', /iface/],
    [`,iface=${'/tmp/'.padEnd(108, 'x')}`, /107/],
    [`,iface=${dir}`, /directory/],
    [`,iface=${join(dir, 'file')}`, /file/],
    [`,iface=${join(dir, 'absent', 'sock')}`, /absent/],
    [`,iface=${socketOf(99)},queues=0`, /queues.*0/],
    [`,iface=${socketOf(99)},queues=129`, /queues.*129/],
    [`,iface=${socketOf(99)},ifase=1`, /did you mean.*iface/i],
  ],
  pairs: 2,
  async peer(port, n) {
    const frontend = await FakeFrontend.connect(socketOf(n), { pairs: port.info.maxRxQueues });
    return {
      send: (frames, queue) => frontend.send(frames, queue),
      receive: (queue) => frontend.receive(queue),
      close: () => frontend.close(),
    };
  },
});
