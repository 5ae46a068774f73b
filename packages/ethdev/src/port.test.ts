/** Rows A16, A17 of docs/vhost.md. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Eal } from './eal.js';
import { calls, contexts, testEal } from './fixtures/test-eal.js';
import type { RxOffload } from './offloads.js';
import type { Port } from './port.js';

let eal: Eal;
beforeEach(async () => {
  eal = await testEal();
});
afterEach(() => eal.close());

const turn = () => new Promise((resolve) => setImmediate(resolve));
const refusal = (code: string, message: string) => expect.objectContaining({ code, message });

describe('life', () => {
  it('configures and sets up one queue pair when started as it is', async () => {
    const port = await eal.attach('test_source0');
    expect([port.id, port.name, port.driverName, port.state]).toEqual([
      0,
      'test_source0',
      'test_source',
      'attached',
    ]);
    await port.start();
    expect([port.state, port.config?.rxQueues, port.config?.txQueues, port.rxQueue(0).descriptors]).toEqual([
      'started',
      1,
      1,
      256,
    ]);
    expect(port.rxQueue(0).pool.name).toBe('mb_pool_0');
  });

  it('tells the driver in order', async () => {
    const port = await eal.attach('test_source0');
    await port.start();
    await port.stop();
    await port.close();
    expect(calls).toEqual(['start', 'stop', 'release', 'freed', 'release', 'freed', 'close']);
  });

  it('refuses to start with a queue that is not set up', async () => {
    const port = await eal.attach('test_source0');
    port.configure({ rxQueues: 2, txQueues: 1 });
    port.setupRxQueue(0, { pool: eal.defaultPool() });
    port.setupTxQueue(0);
    await expect(port.start()).rejects.toThrow(
      refusal('PORT_QUEUES', 'Port 0: rx queue 1 is not set up; set up every configured queue before start.'),
    );
    expect(port.state).toBe('configured');
  });

  it('refuses to be closed while started', async () => {
    const port = await eal.attach('test_source0');
    await port.start();
    await expect(port.close()).rejects.toThrow(
      'Port 0 (test_source0) is started: close is not possible; stop it first.',
    );
  });

  it('can be configured anew after a stop', async () => {
    const port = await eal.attach('test_source0');
    await port.start();
    await port.stop();
    port.configure({ rxQueues: 3, txQueues: 2 });
    expect(() => port.rxQueue(0)).toThrow(refusal('QUEUE_UNKNOWN', 'Port 0: rx queue 0 is not set up.'));
    await port.start();
    expect(port.view().rx).toHaveLength(3);
    expect(() => port.txQueue(2)).toThrow(
      refusal('QUEUE_UNKNOWN', 'Port 0: tx queue 2 does not exist; the port has 2.'),
    );
  });

  it('survives 300 restarts without a trace', async () => {
    const port = await eal.attach('test_source0');
    await port.start();
    const before = eal.defaultPool().free;
    const burst = eal.burst();
    for (let i = 0; i < 300; i++) {
      port.rxQueue(0).burst(burst);
      burst.free();
      await port.stop();
      await port.start();
    }
    expect(eal.defaultPool().free).toBe(before);
    burst.release();
  });

  it('returns to attached by reset', async () => {
    const port = await eal.attach('test_script0');
    await port.start();
    await port.stop();
    await port.reset();
    expect([port.state, calls.at(-1)]).toEqual(['attached', 'reset']);
    await port.start();
    expect(port.state).toBe('started');
  });
});

describe('configuration', () => {
  let port: Port;
  beforeEach(async () => {
    port = await eal.attach('test_source0');
  });

  it.each([
    [{ rxQueues: 5 }, 'QUEUE_COUNT', 'Port 0: 5 rx queues; the driver test_source has 1 to 4.'],
    [{ txQueues: 0 }, 'QUEUE_COUNT', 'Port 0: 0 tx queues; the driver test_source has 1 to 4.'],
    [{ mtu: 20 }, 'MTU_RANGE', 'Port 0: MTU 20 is outside 68 to 65535.'],
    [
      { rxOffloads: ['TCP_LRO', 'VLAN_STRIP'] as RxOffload[] },
      'OFFLOAD_UNSUPPORTED',
      'Port 0: the driver test_source has no rx offload VLAN_STRIP, TCP_LRO; leave it out.',
    ],
  ])('refuses %j', (options, code, message) => {
    expect(() => port.configure(options)).toThrow(refusal(code, message));
    expect(port.state).toBe('attached');
  });

  it('refuses link reports from a driver that has none', async () => {
    const script = await eal.attach('test_script0');
    expect(() => script.configure({ lsc: true })).toThrow(expect.objectContaining({ code: 'PORT_ENOTSUP' }));
  });

  it.each([
    [{ descriptors: 16 }, 'QUEUE_DESCRIPTORS', 'Port 0: 16 rx descriptors; 32 to 1024 are possible.'],
    [
      { descriptors: 100 },
      'QUEUE_DESCRIPTORS',
      'Port 0: 100 rx descriptors; the number must be a multiple of 32.',
    ],
    [
      { offloads: ['VLAN_STRIP'] as RxOffload[] },
      'OFFLOAD_UNSUPPORTED',
      'Port 0: rx offload VLAN_STRIP is not enabled for the port; configure it there.',
    ],
  ])('refuses a queue with %j', (options, code, message) => {
    port.configure();
    expect(() => port.setupRxQueue(0, { pool: eal.defaultPool(), ...options })).toThrow(
      refusal(code, message),
    );
  });

  it('refuses a queue beyond those configured', () => {
    port.configure();
    expect(() => port.setupTxQueue(1)).toThrow(
      refusal('QUEUE_UNKNOWN', 'Port 0: tx queue 1 does not exist; 1 configured, numbered from 0.'),
    );
  });
});

describe('features', () => {
  it('that the driver lacks are refused with ENOTSUP', async () => {
    const port = await eal.attach('test_source0');
    for (const call of [
      () => port.setMtu(9000),
      () => port.setPromiscuous(true),
      () => port.setMac('02:00:00:00:00:09'),
      () => port.vlanFilter(1, true),
      () => port.setLink(false),
    ]) {
      expect(call).toThrow(
        expect.objectContaining({ code: 'PORT_ENOTSUP', errno: -95, message: 'Operation not supported' }),
      );
    }
    await expect(port.reset()).rejects.toThrow('Operation not supported');
    expect([port.mtu, port.promiscuous]).toEqual([1500, false]);
  });

  it('that it has take effect and survive a restart', async () => {
    const port = await eal.attach('test_script0');
    await port.start();
    port.setMtu(9000);
    port.setPromiscuous(true);
    port.setMac('02:00:00:00:00:09');
    expect([port.mtu, port.promiscuous, port.mac.at(-1)]).toEqual([9000, true, 9]);
    await port.stop();
    calls.length = 0;
    await port.start();
    expect(calls).toEqual(['start', 'mac 9', 'promiscuous true']);
    expect([port.mtu, port.mac.at(-1)]).toEqual([9000, 9]);
  });

  it('such as further addresses and groups, are told to the device once and again at a start', async () => {
    const port = await eal.attach('test_script0');
    port.setMac('02:00:00:00:00:01');
    port.addMac('02:00:00:00:00:02');
    port.addMac('02:00:00:00:00:03');
    port.setMulticastList(['01:00:00:00:00:04', Uint8Array.of(1, 0, 0, 0, 0, 5)]);
    calls.length = 0;
    port.addMac('02:00:00:00:00:02');
    port.removeMac('02:00:00:00:00:77');
    expect(calls).toEqual([]);
    await port.start();
    expect(calls.slice(-5)).toEqual(['start', 'mac 1', 'add mac 2', 'add mac 3', 'groups 4 5']);
    port.removeMac('02:00:00:00:00:02');
    expect(port.allMacs.map((mac) => mac.at(-1))).toEqual([1, 3]);
    expect(port.multicastMacs.map((mac) => mac.at(-1))).toEqual([4, 5]);
  });

  it('refuse addresses that do not fit, with the errno of ethdev', async () => {
    const port = await eal.attach('test_script0');
    port.setMac('02:00:00:00:00:01');
    port.addMac('02:00:00:00:00:02');
    port.addMac('02:00:00:00:00:03');
    const thrown = (code: string, errno: number) => expect.objectContaining({ code, errno });
    expect(() => port.addMac('02:00:00:00:00:04')).toThrow(thrown('MAC_LIMIT', -28));
    expect(() => port.setMac('02:00:00:00:00:03')).toThrow(thrown('MAC_EXISTS', -17));
    expect(() => port.removeMac('02:00:00:00:00:01')).toThrow(thrown('MAC_IN_USE', -98));
    const groups = [1, 2, 3].map((n) => Uint8Array.of(1, 0, 0, 0, 0, n));
    expect(() => port.setMulticastList(groups)).toThrow(thrown('MAC_LIMIT', -28));
    expect(() => port.setMulticastList(['02:00:00:00:00:01'])).toThrow(thrown('BAD_MAC', -22));
    expect(port.multicastMacs).toEqual([]);
    expect(port.allMacs).toHaveLength(3);
  });

  it('filter VLANs while that is on', async () => {
    const port = await eal.attach('test_script0');
    const off = expect.objectContaining({ code: 'VLAN_FILTER_OFF', errno: -38 });
    expect(() => port.vlanFilter(5, true)).toThrow(off);
    port.configure({ rxOffloads: ['VLAN_FILTER'] });
    calls.length = 0;
    port.vlanFilter(5, true);
    port.vlanFilter(0, false);
    for (const id of [-1, 4096, 1.5])
      expect(() => port.vlanFilter(id, true)).toThrow(expect.objectContaining({ code: 'VLAN_RANGE' }));
    expect(calls).toEqual(['vlan 5 true', 'vlan 0 false']);
  });

  it.each(['01:00:00:00:00:01', '00:00:00:00:00:00'])('refuse %s as its address', async (mac) => {
    const port = await eal.attach('test_script0');
    expect(() => port.setMac(mac)).toThrow(expect.objectContaining({ code: 'BAD_MAC' }));
  });
});

describe('events', () => {
  it('report the link when it changes and the new state can be read', async () => {
    const port = await eal.attach('test_source0');
    const seen: boolean[] = [];
    port.on('intr_lsc', (p) => seen.push(p.link.up));
    const all: number[] = [];
    eal.on('intr_lsc', (p) => all.push(p.id));
    const ctx = contexts.get('test_source0');
    ctx?.link({ up: true });
    ctx?.link({ up: false });
    ctx?.link({ speed: 100 });
    ctx?.link({ up: true });
    expect(seen).toEqual([false, true]);
    expect(all).toEqual([0, 0]);
  });

  it('are silent about the link when configured so', async () => {
    const port = await eal.attach('test_source0');
    port.configure({ lsc: false });
    let events = 0;
    port.on('intr_lsc', () => events++);
    contexts.get('test_source0')?.link({ up: false });
    expect([events, port.link.up]).toEqual([0, false]);
  });

  it('report queue states once per turn of the loop', async () => {
    const port = await eal.attach('test_source0');
    let events = 0;
    port.on('queue_state', () => events++);
    const ctx = contexts.get('test_source0');
    ctx?.queueState(0, true, true);
    ctx?.queueState(0, false, true);
    expect(port.queueEnabled(0, true)).toBe(true);
    await turn();
    expect(events).toBe(1);
    expect([port.getQueueEvent(), port.getQueueEvent(), port.getQueueEvent()]).toEqual([
      { queueId: 0, rx: false, enable: true },
      { queueId: 0, rx: true, enable: true },
      undefined,
    ]);
  });

  it('say nothing of a queue that toggled within a turn', async () => {
    const port = await eal.attach('test_source0');
    let events = 0;
    port.on('queue_state', () => events++);
    contexts.get('test_source0')?.queueState(1, true, true);
    contexts.get('test_source0')?.queueState(1, true, false);
    await turn();
    expect([events, port.getQueueEvent()]).toEqual([0, undefined]);
  });

  it('report removal, and the end of the port after its close', async () => {
    const port = await eal.attach('test_source0');
    const seen: string[] = [];
    port.on('intr_rmv', (p) => seen.push(`rmv ${p.state}`));
    port.on('destroy', (p) => seen.push(`destroy ${p.state} ${eal.ports.size}`));
    contexts.get('test_source0')?.removed();
    await eal.detach(port);
    expect(seen).toEqual(['rmv attached', 'destroy closed 0']);
  });

  it('stop after the port is closed', async () => {
    const port = await eal.attach('test_source0');
    await eal.detach(port);
    let events = 0;
    port.on('intr_lsc', () => events++);
    contexts.get('test_source0')?.link({ up: false });
    expect(events).toBe(0);
  });
});

describe('statistics', () => {
  it('count per port and per queue, and can be reset', async () => {
    const port = await eal.attach('test_source0,size=100');
    port.configure({ rxQueues: 2, txQueues: 1 });
    await port.start();
    const burst = eal.burst(10);
    port.rxQueue(0).burst(burst);
    port.txQueue(0).burst(burst, 4);
    burst.free(4);
    port.rxQueue(1).burst(burst);
    burst.free();
    expect(port.stats()).toEqual({
      ipackets: 20n,
      opackets: 4n,
      ibytes: 2000n,
      obytes: 400n,
      imissed: 0n,
      ierrors: 0n,
      oerrors: 0n,
      rxNombuf: 0n,
    });
    expect(port.queueStats().rx.map((q) => q.packets)).toEqual([10n, 10n]);
    port.resetStats();
    expect(port.stats()).toMatchObject({ ipackets: 0n, obytes: 0n });
    burst.release();
  });

  it('count receptions that failed for want of mbufs', async () => {
    const pool = eal.createPool({ name: 'small', size: 8, cache: 0 });
    const port = await eal.attach('test_source0');
    await port.start(pool);
    const burst = eal.burst(8);
    port.rxQueue(0).burst(burst);
    const more = eal.burst(8);
    expect(port.rxQueue(0).burst(more)).toBe(0);
    expect(port.stats().rxNombuf).toBeGreaterThan(0n);
    burst.free();
    burst.release();
    more.release();
  });

  it('have the names and the order that scripts expect', async () => {
    const port = await eal.attach('test_script0');
    port.configure({ rxQueues: 2 });
    await port.start();
    expect(port.xstats().map(([name]) => name)).toEqual([
      'rx_good_packets',
      'tx_good_packets',
      'rx_good_bytes',
      'tx_good_bytes',
      'rx_missed_errors',
      'rx_errors',
      'tx_errors',
      'rx_mbuf_allocation_errors',
      'rx_q0_packets',
      'rx_q0_bytes',
      'rx_q0_errors',
      'rx_q1_packets',
      'rx_q1_bytes',
      'rx_q1_errors',
      'tx_q0_packets',
      'tx_q0_bytes',
      'own_counter',
    ]);
    expect(port.xstats().at(-1)).toEqual(['own_counter', 7n]);
    expect(port.privateInfo()).toEqual({ ring: 'test_script0' });
  });
});
