import { describe, expect, test } from 'vitest';
import { withoutPolling } from './log-text.js';
import {
  parseForwardReport,
  parsePoolState,
  parsePortInfo,
  parsePortStats,
  parseXstats,
  queuePackets,
} from './testpmd-parse.js';
import { answerTo } from './testpmd-session.js';

const stats = `
  ######################## NIC statistics for port 0  ########################
  RX-packets: 546464     RX-missed: 2          RX-bytes:  34973696
  RX-errors: 3
  RX-nombuf:  4
  TX-packets: 7          TX-errors: 8          TX-bytes:  448

  Throughput (since last show)
  Rx-pps:       164020          Rx-bps:     83978504
  Tx-pps:            9          Tx-bps:          512
  ############################################################################
`;

const stopped = `Telling cores to stop...
Waiting for lcores to finish...

  ------- Forward Stats for RX Port= 0/Queue= 1 -> TX Port= 0/Queue= 1 -------
  RX-packets: 10             TX-packets: 10             TX-dropped: 0

  ---------------------- Forward statistics for port 0  ----------------------
  RX-packets: 100            RX-dropped: 1             RX-total: 101
  TX-packets: 90             TX-dropped: 10            TX-total: 100
  ----------------------------------------------------------------------------

  ---------------------- Forward statistics for port 1  ----------------------
  RX-packets: 5              RX-dropped: 0             RX-total: 5
  RX-error: 6
  RX-nombufs: 7
  TX-packets: 5              TX-dropped: 0             TX-total: 5
  ----------------------------------------------------------------------------

  +++++++++++++++ Accumulated forward statistics for all ports+++++++++++++++
  RX-packets: 105            RX-dropped: 1             RX-total: 106
  TX-packets: 95             TX-dropped: 10            TX-total: 105
  ++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++

Done.
`;

describe('answer to a command', () => {
  const event = '\nPort 0: link state change event\n';

  test('is what stands between the echo and the next prompt', () => {
    expect(answerTo('stop', 'stop\nDone.\ntestpmd> ')).toBe('Done.\n');
    expect(answerTo('stop', 'stop\nTelling cores')).toBeUndefined();
    expect(answerTo('stop', '')).toBeUndefined();
  });

  test('is not cut short by an event, before or behind the echo', () => {
    expect(answerTo('stop', `${event}testpmd> `)).toBeUndefined();
    expect(answerTo('stop', `${event}testpmd> stop\nDone.\ntestpmd> `)).toBe('Done.\n');
    expect(answerTo('port stop 1', `port stop 1\nStopping${event}testpmd> `)).toBe(`Stopping${event}`);
  });

  test('is found when an event or a log line tears the echo apart', () => {
    const log = 'VHOST_CONFIG: (/tmp/s0) new vhost user connection is 22\n';
    expect(answerTo('stop', `st${event}op\nDone.\ntestpmd> `)).toContain('Done.\n');
    expect(answerTo('stop', '\nsPort 0: queue state event\ntop\nDone.\ntestpmd> ')).toContain('Done.\n');
    expect(answerTo('show port info 0', `sho${log}w port info 0\nMTU: 1500\ntestpmd> `)).toContain(
      'MTU: 1500\n',
    );
    expect(answerTo('show port info 0', `sho${log}`)).toBeUndefined();
    expect(answerTo('show port info 0', `${event}testpmd> ${event}testpmd> sho`)).toBeUndefined();
  });
});

describe('testpmd output', () => {
  test('port statistics', () => {
    expect(parsePortStats(stats)).toEqual({
      rxPackets: 546464,
      rxMissed: 2,
      rxBytes: 34973696,
      rxErrors: 3,
      rxNombuf: 4,
      txPackets: 7,
      txErrors: 8,
      txBytes: 448,
      rxPps: 164020,
      txPps: 9,
    });
    expect(() => parsePortStats('Invalid port 9')).toThrow('no "RX-packets:"');
  });

  test('forward statistics, per port and in total', () => {
    const report = parseForwardReport(stopped);
    expect([...report.ports.keys()]).toEqual([0, 1]);
    expect(report.ports.get(0)).toMatchObject({ rxPackets: 100, rxDropped: 1, txDropped: 10, txTotal: 100 });
    expect(report.ports.get(1)).toMatchObject({ rxPackets: 5, txPackets: 5 });
    expect(report.total).toMatchObject({ rxTotal: 106, txPackets: 95 });
    expect(() => parseForwardReport('Packet forwarding not started')).toThrow('no accumulated');
  });

  test('port information and extended statistics', () => {
    const info = parsePortInfo(
      '\n***** Infos for port 0  *****\nMAC address: 56:48:4F:53:54:00\nLink status: up\nMTU: 1500\n',
    );
    expect(info.get('MAC address')).toBe('56:48:4F:53:54:00');
    expect(info.get('Link status')).toBe('up');
    const xstats = parseXstats(
      '###### NIC extended statistics for port 0\nrx_q0_packets: 5\nrx_q1_good_packets: 6\n',
    );
    expect(queuePackets(xstats, 'rx', 0)).toBe(5);
    expect(queuePackets(xstats, 'rx', 1)).toBe(6);
    expect(() => queuePackets(xstats, 'tx', 0)).toThrow('tx_q0_packets');
  });

  test('mempool state counts the caches', () => {
    const pool = (name: string, size: number, cached: number, common: number) =>
      `mempool <${name}>@0x1\n  size=${size}\n  populated_size=${size}\n    total_cache_count=${cached}\n  common_pool_count=${common}\n`;
    const dump = pool('other', 100, 0, 7) + pool('mb_pool_0', 16384, 282, 16102);
    expect(parsePoolState(dump, 'mb_pool_0')).toEqual({ size: 16384, free: 16384 });
    expect(parsePoolState(dump, 'other')).toEqual({ size: 100, free: 7 });
    expect(() => parsePoolState('Bad arguments', 'mb_pool_0')).toThrow('no mempool mb_pool_0');
  });

  test('a log tail keeps events and the last poll', () => {
    const log = `testpmd> show port stats 0\nRX-packets: 1\ntestpmd> show port stats 0\nRX-packets: 2
Port 0: link state change event\ntestpmd> show port stats 0\nRX-packets: 3\ntestpmd> quit\n`;
    expect(withoutPolling(log)).toBe(
      'Port 0: link state change event\ntestpmd> show port stats 0\nRX-packets: 3\ntestpmd> quit\n',
    );
  });
});
