/**
 * Receive modes, addresses and the VLAN filter of our virtio-user port against real senders: of what DPDK's vhost port or Open vSwitch
 * hands over, exactly the wanted frames arrive and every other one is counted under its reason, while the port goes on receiving.
 */
import { join } from 'node:path';
import { expect } from 'vitest';
import { startDpdk, vhost, virtioUser } from '../harness/dpdk.js';
import { describeOvs, OpenVswitch } from '../harness/ovs.js';
import { startPollwire } from '../harness/pollwire.js';
import { describePeer, scenario } from '../harness/scenario.js';
import type { TestpmdSession } from '../harness/testpmd-session.js';
import { settled, waitUntil } from '../harness/wait.js';

const OWN = '02:00:00:00:00:10';
const SECOND = '02:00:00:00:00:11';
const OTHER = '02:00:00:00:00:12';
const GROUP = '01:00:5e:00:00:01';
const OTHER_GROUP = '01:00:5e:00:00:02';
const ALL = 'ff:ff:ff:ff:ff:ff';
const VLAN = 5;

/** Least number of frames to see of each kind. */
const enough = 1000;

type Reason = 'unicast' | 'multicast' | 'vlan';

/** Sends frames to `mac` for a while; returns how many the receiver's peer has handed over to it. */
type Sender = (mac: string) => Promise<number>;

interface Counts extends Record<Reason, number> {
  arrived: number;
}

async function counts(receiver: TestpmdSession): Promise<Counts> {
  const xstats = await receiver.xstats(0);
  const filtered = (reason: Reason) => xstats.get(`rx_q0_filtered_${reason}`) ?? Number.NaN;
  return {
    arrived: (await receiver.portStats(0)).rxPackets,
    unicast: filtered('unicast'),
    multicast: filtered('multicast'),
    vlan: filtered('vlan'),
  };
}

/** All frames to `mac` arrive, or all of them are stopped for one reason. */
async function expectFate(receiver: TestpmdSession, send: Sender, mac: string, fate: keyof Counts) {
  const before = await counts(receiver);
  const sent = await send(mac);
  expect(sent, `frames to ${mac}`).toBeGreaterThanOrEqual(enough);
  const expected = { ...before, [fate]: before[fate] + sent };
  let last = before;
  // The ring may still hold the last ones.
  await waitUntil(`${sent} frames to ${mac} to be counted`, 5000, async () => {
    last = await counts(receiver);
    const total = (all: Counts) => all.arrived + all.unicast + all.multicast + all.vlan;
    return total(last) === total(expected);
  }).catch(() => undefined);
  expect(last, `frames to ${mac}`).toEqual(expected);
}

/** Each mode in turn, for untagged frames. The receiver's port is promiscuous at first, as in DPDK's testpmd, and off at the end. */
async function expectAddressModes(receiver: TestpmdSession, send: Sender): Promise<void> {
  const fate = (mac: string, which: keyof Counts) => expectFate(receiver, send, mac, which);
  await fate(OTHER, 'arrived');
  await fate(GROUP, 'arrived');
  await receiver.command('set promisc 0 off');
  await fate(OWN, 'arrived');
  await fate(ALL, 'arrived');
  await fate(OTHER, 'unicast');
  await fate(SECOND, 'unicast');
  await fate(GROUP, 'multicast');
  await receiver.command(`mac_addr add 0 ${SECOND}`);
  await receiver.command(`mcast_addr add 0 ${GROUP}`);
  await fate(SECOND, 'arrived');
  await fate(GROUP, 'arrived');
  await fate(OTHER_GROUP, 'multicast');
  await fate(OTHER, 'unicast');
  await receiver.command('set allmulti 0 on');
  await fate(OTHER_GROUP, 'arrived');
  await fate(OTHER, 'unicast');
  await receiver.command(`mac_addr remove 0 ${SECOND}`);
  await receiver.command('set allmulti 0 off');
  await fate(SECOND, 'unicast');
  await fate(OTHER_GROUP, 'multicast');
  await receiver.command(`mac_addr set 0 ${OTHER}`);
  await fate(OTHER, 'arrived');
  await fate(OWN, 'unicast');
  await receiver.command(`mac_addr set 0 ${OWN}`);
}

/** The VLAN table, for frames with a tag of VLAN. */
async function expectVlanModes(receiver: TestpmdSession, send: Sender): Promise<void> {
  const fate = (mac: string, which: keyof Counts) => expectFate(receiver, send, mac, which);
  await fate(OWN, 'arrived');
  await receiver.command('vlan set filter on 0');
  await fate(OWN, 'vlan');
  await receiver.command('set promisc 0 on');
  await fate(OTHER, 'vlan');
  await receiver.command(`rx_vlan add ${VLAN} 0`);
  await fate(OTHER, 'arrived');
  await receiver.command('vlan set strip on 0');
  await fate(OTHER, 'arrived');
  await receiver.command('set promisc 0 off');
  await fate(OTHER, 'unicast');
  await receiver.command(`rx_vlan rm ${VLAN} 0`);
  await fate(OWN, 'vlan');
  await receiver.command('vlan set filter off 0');
  await fate(OWN, 'arrived');
}

/** `start` and `stop` of a txonly testpmd around `enough` frames. */
async function sendSome(sender: TestpmdSession, mac: string): Promise<number> {
  const before = (await sender.portStats(0)).txPackets;
  await sender.command(`set eth-peer 0 ${mac}`);
  await sender.startForwarding();
  await waitUntil(
    `${enough} frames to ${mac}`,
    10_000,
    async () => (await sender.portStats(0)).txPackets - before >= enough,
    20,
  );
  await sender.stopForwarding();
  return (await sender.portStats(0)).txPackets - before;
}

async function tagFrames(sender: TestpmdSession): Promise<void> {
  await sender.command('port stop 0');
  await sender.command(`tx_vlan set 0 ${VLAN}`);
  await sender.command('port start 0');
}

async function expectWholePool(session: TestpmdSession): Promise<void> {
  await session.stopForwarding();
  await session.command('port stop 0');
  await session.command('port close 0');
  const pool = await session.poolState();
  expect(pool.free).toBe(pool.size);
}

describePeer('dpdk', "what DPDK's vhost port sends to our virtio-user port", () => {
  for (const packed of [false, true]) {
    scenario(`${packed ? 'packed' : 'split'} rings`, 180_000, async (scope) => {
      const socket = scope.path('s0');
      const sender = await startDpdk(scope, {
        name: 'sender',
        vdevs: [vhost(0, socket)],
        forward: 'txonly',
        mainLcore: 1,
        memoryMiB: 64,
        mbufs: 4096,
      });
      const receiver = await startPollwire(scope, {
        name: 'receiver',
        vdevs: [virtioUser(0, socket, { mac: OWN, packed })],
        forward: 'rxonly',
        autoStart: true,
        mbufs: 8192,
      });
      await receiver.waitLink(0, 'up', 10_000);
      await sender.waitLink(0, 'up', 10_000);
      const send: Sender = (mac) => sendSome(sender, mac);
      await expectAddressModes(receiver, send);
      await tagFrames(sender);
      await sender.waitLink(0, 'up', 10_000);
      await expectVlanModes(receiver, send);
      await expectWholePool(receiver);
      await sender.quit();
      await receiver.quit();
    });
  }
});

describeOvs('what Open vSwitch switches to our virtio-user port', () => {
  scenario('split rings', 180_000, async (scope) => {
    const ovs = await OpenVswitch.start(scope);
    const listening = scope.path('s0');
    // Only a port of this kind has counters in Open vSwitch 3.1.
    ovs.addPort('vu0', 1500, listening);
    ovs.addPort('vu1', 1500);
    const receiver = await startPollwire(scope, {
      name: 'receiver',
      vdevs: [virtioUser(0, listening, { mac: OWN, server: true })],
      forward: 'rxonly',
      autoStart: true,
      mbufs: 8192,
      memoryMiB: 64,
    });
    const sender = await startPollwire(scope, {
      name: 'sender',
      vdevs: [virtioUser(0, join(ovs.dir, 'vu1'))],
      forward: 'txonly',
      mbufs: 8192,
      memoryMiB: 64,
    });
    await receiver.waitLink(0, 'up', 20_000);
    await sender.waitLink(0, 'up', 20_000);
    const handedOver = () => ovs.portStats('vu0')?.txPackets ?? Number.NaN;
    const send: Sender = async (mac) => {
      const before = handedOver();
      // The switch throws away what it cannot keep up with.
      for (let handed = 0; handed < enough; ) {
        await sendSome(sender, mac);
        handed = await settled(
          'what the switch has handed over',
          20_000,
          300,
          async () => handedOver() - before,
        );
      }
      return handedOver() - before;
    };
    await expectAddressModes(receiver, send);
    await tagFrames(sender);
    await sender.waitLink(0, 'up', 20_000);
    await expectVlanModes(receiver, send);
    await expectWholePool(receiver);
    await sender.quit();
    await receiver.quit();
    await ovs.stopSwitch();
  });
});
