/**
 * A Linux guest with an IOMMU (QEMU's intel-iommu) in front of two of our vhost ports: every address of its driver is translated by
 * QEMU, asked for when it is missed and taken away when the driver is done with it. features.md A14, A66, A67, A68.
 */
import { expect } from 'vitest';
import { vhost } from '../harness/dpdk.js';
import { startPollwire } from '../harness/pollwire.js';
import { startGuest } from '../harness/qemu.js';
import type { GuestNic } from '../harness/qemu-args.js';
import { nicMac } from '../harness/qemu-args.js';
import { describePeer, scenario } from '../harness/scenario.js';
import type { Scope } from '../harness/scope.js';
import { TcpContent } from '../harness/tcp-content.js';

const accessPlatform = 33;
const ringPacked = 34;
const mebibytes = 4;

/** The NICs sit behind root ports: on pcie.0 itself a NIC has no ATS, and the guest sends no invalidations. */
const qemuArgs = [
  ...['-device', 'intel-iommu,intremap=off,device-iotlb=on'],
  ...[0, 1].flatMap((i) => ['-device', `pcie-root-port,id=rp${i},chassis=${i + 1},slot=${i + 1}`]),
];

function nic(index: number, socket: string, options: Partial<GuestNic>): GuestNic {
  const properties = { bus: `rp${index}`, iommu_platform: 'on', ats: 'on', 'disable-legacy': 'on' };
  return { socket, ...options, properties };
}

/** Pings, which may get lost where a buffer has to be translated first, and a transfer each way between the NICs, the second one in a namespace of its own. */
function script(features: readonly number[]): string {
  return `
    A=$(nic_by_mac ${nicMac(0)}) B=$(nic_by_mac ${nicMac(1)})
    for D in $A $B; do
      ${features.map((bit) => `[ "$(feature $D ${bit})" = 1 ] || { echo "no feature ${bit}"; exit 2; }`).join('\n')}
    done
    [ -d /sys/class/iommu/dmar0 ] || { echo 'no IOMMU'; exit 2; }
    ip link set $A up && peer $B 192.168.77.1 1500 || exit 3
    net_up $A 192.168.77.2 1500 || exit 4
    for SIZE in 64 512 1472; do ping -c 5 -W 5 -s $SIZE 192.168.77.1 || exit 5; done
    in_peer nc -l -p 5001 -e /take there &
    THERE=$!
    sleep 0.5
    nc 192.168.77.1 5001 -e /send || exit 6
    wait $THERE
    mark HASH there $(cat /tmp/there)
    nc -l -p 5002 -e /take back &
    BACK=$!
    sleep 0.5
    in_peer nc 192.168.77.2 5002 -e /send || exit 7
    wait $BACK
    mark HASH back $(cat /tmp/back)`;
}

async function transfer(scope: Scope, kernelArgs: string, options: Partial<GuestNic>, strict: boolean) {
  const content = new TcpContent(mebibytes);
  const sockets = [scope.path('s0'), scope.path('s1')];
  const session = await startPollwire(scope, {
    name: 'back-end',
    vdevs: sockets.map((socket, index) => `${vhost(index, socket)},iommu-support=1`),
    forward: 'io',
    appArgs: ['--idle', 'adaptive'],
  });
  // A packet waits for the translation of the buffer that it goes into.
  await session.command('set burst tx delay 100 retry 100');
  await session.command('set fwd io retry');
  await session.startForwarding();
  const guest = startGuest(scope, {
    nics: sockets.map((socket, index) => nic(index, socket, options)),
    machine: 'q35',
    memoryMiB: 384,
    qemuArgs,
    kernelArgs,
    script: script([accessPlatform, ...(options.packed === true ? [ringPacked] : [])]),
    files: content.guestFiles(),
  });
  expect(await guest.finish(170_000)).toBe(0);
  for (const way of ['there', 'back']) {
    const [, arrived] = new RegExp(`^@@HASH ${way} (\\w{32})`, 'm').exec(guest.output()) ?? [];
    expect(arrived, way).toBe(content.hash);
  }
  for (const id of [0, 1]) {
    const xstats = await session.xstats(id);
    for (const name of ['rx_q0_iotlb_hits', 'rx_q0_iotlb_misses', 'tx_q0_iotlb_hits', 'tx_q0_iotlb_misses']) {
      expect(xstats.get(name), `port ${id} ${name}`).toBeGreaterThan(0);
    }
    // With a mapping for each packet there is a miss for about each; QEMU answers for 4 KiB at a time.
    const misses = xstats.get('rx_q0_iotlb_misses') ?? 0;
    if (strict) expect(misses, `port ${id}`).toBeGreaterThan((mebibytes << 20) / 4096);
    for (const [name, value] of xstats) {
      if (name.includes('drop_bad')) expect(value, `port ${id} ${name}`).toBe(0);
    }
  }
  await session.quit();
}

describePeer(['qemu'], 'QEMU guest with an IOMMU in front of our vhost ports', () => {
  scenario('strict: each buffer is mapped for its packet alone', 200_000, (scope) =>
    transfer(scope, 'intel_iommu=on iommu.strict=1', {}, true),
  );
  scenario('lazy: mappings are taken away in groups', 200_000, (scope) =>
    transfer(scope, 'intel_iommu=on', {}, false),
  );
  scenario('passthrough: one mapping for all memory', 200_000, (scope) =>
    transfer(scope, 'intel_iommu=on iommu=pt', {}, false),
  );
  scenario('packed rings, strict', 200_000, (scope) =>
    transfer(scope, 'intel_iommu=on iommu.strict=1', { packed: true }, true),
  );
});
