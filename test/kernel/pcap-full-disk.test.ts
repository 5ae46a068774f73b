/** net_pcap on a full disk, and its files in the eyes of another reader. A small file system of its own, so CAP_SYS_ADMIN is needed. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drivers } from '@pollwire/drivers';
import { Eal } from '@pollwire/ethdev';
import { native } from '@pollwire/native';
import { makeFrame } from '@pollwire/testkit';
import { expect } from 'vitest';
import { readPcap } from '../harness/pcap-file.js';
import { describePeer, scenario } from '../harness/scenario.js';

describePeer(['net-admin'], 'a capture on a full disk', () => {
  scenario('keeps whole records, refuses packets, and goes on when there is room', 60_000, async (scope) => {
    const dir = scope.path('small');
    mkdirSync(dir);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', dir]);
    scope.onClose(() => void execFileSync('umount', [dir]));
    const eal = await Eal.init({ drivers, memory: 64, huge: 'never' }, () => undefined);
    scope.onClose(() => eal.close());
    const pool = eal.createPool({ name: 'p', size: 256 });
    const port = await eal.attach(`net_pcap0,tx_pcap=${join(dir, 'out')}`);
    await port.start(pool);
    const burst = eal.burst(32);
    let number = 0;
    const send = () => {
      pool.fill(burst, 32);
      for (let i = 0; i < 32; i++) native.mbufAppend(burst.at(i), makeFrame(number + i, 1000));
      const sent = port.txQueue(0).burst(burst);
      burst.free(sent);
      number += sent;
      return sent;
    };
    writeFileSync(join(dir, 'ballast'), new Uint8Array(100 * 1024));
    for (let i = 0; i < 10; i++) send();
    expect(number).toBeLessThan(320);
    expect(send()).toBe(0);
    unlinkSync(join(dir, 'ballast'));
    expect(send()).toBe(32);
    expect(readPcap(join(dir, 'out')).map((frame) => Uint8Array.from(frame))).toEqual(
      Array.from({ length: number }, (_, i) => makeFrame(i, 1000)),
    );
    expect(port.stats().opackets).toBe(BigInt(number));
    expect(port.xstats().find(([name]) => name === 'tx_q0_ring_full')?.[1]).toBeGreaterThan(0n);
    expect(pool.inUse).toBe(0);
    burst.release();
  });
});
