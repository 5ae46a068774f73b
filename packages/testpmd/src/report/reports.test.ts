import { describe, expect, it } from 'vitest';
import { formatBursts } from './burst-stats.js';
import { formatForwardConfig } from './forward-config.js';
import type { ForwardReport } from './forward-stats.js';
import { formatForwardStats } from './forward-stats.js';
import { formatPool } from './pool.js';
import type { PortInfoReport } from './port-info.js';
import { formatDeviceInfo, formatPortInfo, formatPortSummary } from './port-info.js';
import { formatPortStats, formatXstats } from './port-stats.js';
import { formatRxQueueInfo, formatTxQueueInfo } from './queue-info.js';
import { formatRxTxConfig } from './rxtx-config.js';

// Expected texts are captures of dpdk-testpmd 22.11 with its numbers put in; where 26.11 differs, the newer form.

const STATS = {
  port: 0,
  rxPackets: 10459200n,
  rxMissed: 0n,
  rxBytes: 669388800n,
  rxErrors: 2n,
  rxNoMbuf: 3n,
  txPackets: 9972800n,
  txErrors: 0n,
  txBytes: 638259200n,
  rxPps: 33004723n,
  txPps: 33004829n,
  rxBps: 16898418176n,
  txBps: 0n,
};

describe('show port stats', () => {
  it('has the columns that scripts read', () => {
    expect(formatPortStats(STATS)).toBe(
      [
        '',
        '  ######################## NIC statistics for port 0  ########################',
        '  RX-packets: 10459200   RX-missed: 0          RX-bytes:  669388800',
        '  RX-errors: 2',
        '  RX-nombuf:  3         ',
        '  TX-packets: 9972800    TX-errors: 0          TX-bytes:  638259200',
        '',
        '  Throughput (since last show)',
        '  Rx-pps:     33004723          Rx-bps:  16898418176',
        '  Tx-pps:     33004829          Tx-bps:            0',
        '  ############################################################################',
        '',
      ].join('\n'),
    );
  });

  it('matches the expression of the DTS parser for every port', () => {
    const text = [0, 11].map((port) => formatPortStats({ ...STATS, port })).join('');
    const blocks = text.replace(/\n/g, '\r\n').match(/(^ {2}#*.+#*$[^#]+)^ {2}#*\r$/gm);
    expect(blocks).toHaveLength(2);
    expect(text).toContain('for port 11 ####');
  });

  it('adds the extended statistics asked for, inside the block', () => {
    const text = formatPortStats({ ...STATS, xstats: [['rx_q0_packets', 5n]] });
    expect(text).toMatch(/Tx-bps: {12}0\n {2}rx_q0_packets: 5\n {2}#{76}\n$/);
  });
});

it('show port xstats hides zeroes on request', () => {
  const xstats: [string, bigint][] = [
    ['rx_good_packets', 7n],
    ['rx_errors', 0n],
  ];
  expect(formatXstats(1, xstats, false)).toBe(
    '###### NIC extended statistics for port 1 \nrx_good_packets: 7\nrx_errors: 0\n',
  );
  expect(formatXstats(1, xstats, true)).toBe(
    '###### NIC extended statistics for port 1 \nrx_good_packets: 7\n',
  );
});

const INFO: PortInfoReport = {
  port: 0,
  mac: '56:48:4F:53:54:00',
  device: 'net_vhost0',
  driver: 'net_vhost',
  devargs: 'iface=/tmp/sock0,queues=2',
  linkUp: true,
  linkSpeed: '10 Gbps',
  fullDuplex: true,
  autoneg: false,
  mtu: 1500,
  minMtu: 46,
  maxMtu: 65535,
  promiscuous: true,
  allMulticast: false,
  maxMacs: 1,
  maxHashMacs: 0,
  vlan: { strip: true, filter: false, extend: false, qinqStrip: false },
  rssTypes: [],
  minRxBuffer: 0,
  maxRxPacket: 4294967295,
  maxLroPacket: 0,
  rx: { current: 2, max: 2, maxDescriptors: 65535, minDescriptors: 0, alignment: 1 },
  tx: { current: 1, max: 4, maxDescriptors: 1024, minDescriptors: 32, alignment: 8 },
  maxSegments: 65535,
  maxMtuSegments: 65535,
  capabilities: { mask: 0, names: [] },
  errorHandling: 'none',
  privateInfo: {},
};

describe('show port info', () => {
  it('has every line in order', () => {
    expect(formatPortInfo(INFO).split('\n')).toEqual([
      '',
      '********************* Infos for port 0  *********************',
      'MAC address: 56:48:4F:53:54:00',
      'Device name: net_vhost0',
      'Driver name: net_vhost',
      'Firmware-version: not available',
      'Devargs: iface=/tmp/sock0,queues=2',
      'Connect to socket: 0',
      'memory allocation on the socket: 0',
      'Link status: up',
      'Link speed: 10 Gbps',
      'Link duplex: full-duplex',
      'Autoneg status: Off',
      'MTU: 1500',
      'Minimum MTU: 46',
      'Maximum MTU: 65535',
      'Promiscuous mode: enabled',
      'Allmulticast mode: disabled',
      'Maximum number of MAC addresses: 1',
      'Maximum number of MAC addresses of hash filtering: 0',
      'VLAN offload: ',
      '  strip on, filter off, extend off, qinq strip off',
      'No RSS offload flow type is supported.',
      'Minimum size of RX buffer: 0',
      'Maximum configurable length of RX packet: 4294967295',
      'Maximum configurable size of LRO aggregated packet: 0',
      'Current number of RX queues: 2',
      'Max possible RX queues: 2',
      'Max possible number of RXDs per queue: 65535',
      'Min possible number of RXDs per queue: 0',
      'RXDs number alignment: 1',
      'Current number of TX queues: 1',
      'Max possible TX queues: 4',
      'Max possible number of TXDs per queue: 1024',
      'Min possible number of TXDs per queue: 32',
      'TXDs number alignment: 8',
      'Max segment number per packet: 65535',
      'Max segment number per MTU/TSO: 65535',
      'Device capabilities: 0x0( )',
      'Device error handling mode: none',
      '',
    ]);
  });

  it('adds what only some drivers have', () => {
    const text = formatPortInfo({
      ...INFO,
      linkUp: false,
      hashKeySize: 40,
      retaSize: 128,
      rssTypes: ['ipv4', 'ipv4-udp'],
      capabilities: { mask: 3, names: ['RUNTIME_RX_QUEUE_SETUP', 'RUNTIME_TX_QUEUE_SETUP'] },
      privateInfo: { backend: 'server', features: '0x1' },
    });
    expect(text).toContain('Link status: down\n');
    expect(text).toContain(
      'Hash key size in bytes: 40\nRedirection table size: 128\nSupported RSS offload flow types:\n  ipv4\n  ipv4-udp\n',
    );
    expect(text).toContain('Device capabilities: 0x3( RUNTIME_RX_QUEUE_SETUP RUNTIME_TX_QUEUE_SETUP )\n');
    expect(text.endsWith('Device private info:\n  backend: server\n  features: 0x1\n')).toBe(true);
  });
});

it('show port summary is a table', () => {
  const row = {
    port: 2,
    mac: 'CE:5B:3B:DD:74:C8',
    name: 'net_null5',
    driver: 'net_null',
    up: false,
    speed: '10 Gbps',
  };
  expect(formatPortSummary(3, [row])).toBe(
    'Number of available ports: 3\n' +
      'Port MAC Address       Name         Driver         Status   Link\n' +
      '2    CE:5B:3B:DD:74:C8 net_null5    net_null       down     10 Gbps\n',
  );
});

it('show device info lists the ports of a device', () => {
  const ports = [{ port: 0, mac: 'FE:79:97:D7:C9:48', name: 'net_null0' }];
  expect(formatDeviceInfo({ name: 'net_null0', driver: 'net_null', devargs: '', ports })).toBe(
    '\n********************* Infos for device net_null0 *********************\n' +
      'Bus name: vdev\nBus information: \nDriver name: net_null\nDevargs: \nConnect to socket: 0\n\n' +
      '\tPort id: 0 \n\tMAC address: FE:79:97:D7:C9:48\n\tDevice name: net_null0\n' +
      '\tDevice speed capability: Autonegotiate (all speeds)\n',
  );
});

it('show rxq info and show txq info have the lines of the DTS parser', () => {
  const rx = {
    port: 1,
    queue: 0,
    mempool: 'mb_pool_0',
    scattered: true,
    started: true,
    bufferSize: 2176,
    descriptors: 256,
  };
  expect(formatRxQueueInfo(rx).split('\n')).toEqual([
    '',
    '********************* Infos for port 1 , RX queue 0  *********************',
    'Mempool: mb_pool_0',
    'RX prefetch threshold: 0',
    'RX host threshold: 0',
    'RX writeback threshold: 0',
    'RX free threshold: 0',
    'RX drop packets: off',
    'RX deferred start: off',
    'RX scattered packets: on',
    'Rx queue state: started',
    'RX buffer size: 2176',
    'Number of RXDs: 256',
    '',
    '',
  ]);
  const tx = formatTxQueueInfo({ port: 1, queue: 0, started: false, descriptors: 64, burstMode: 'Native' });
  expect(tx).toContain(
    'TX RS threshold: 0\nTX free threshold: 0\nTX deferred start: off\nNumber of TXDs: 64\n',
  );
  expect(tx).toContain('Tx queue state: stopped\nBurst mode: Native\n');
});

describe('show config', () => {
  const stream = { rxPort: 0, rxQueue: 0, txPort: 1, txQueue: 0, peer: '02:00:00:00:00:01' };

  it('fwd', () => {
    const report = { mode: 'io', ports: 2, streams: 1, lcores: [{ lcore: 1, streams: [stream] }] };
    const streams =
      'Logical Core 1 (socket 0) forwards packets on 1 streams:\n' +
      '  RX P=0/Q=0 (socket 0) -> TX P=1/Q=0 (socket 0) peer=02:00:00:00:00:01\n\n';
    expect(formatForwardConfig(report)).toBe(
      `io packet forwarding - ports=2 - cores=1 - streams=1 - NUMA support enabled, MP allocation mode: native\n${streams}`,
    );
    expect(formatForwardConfig({ ...report, retry: { count: 10, delayUs: 5 } })).toBe(
      'io packet forwarding with retry - ports=2 - cores=1 - streams=1 - NUMA support enabled, MP allocation mode: native\n' +
        `TX retry num: 10, delay between TX retries: 5us\n${streams}`,
    );
  });

  it('rxtx', () => {
    const port = {
      port: 0,
      rxQueues: 2,
      txQueues: 2,
      rxOffloads: 0,
      txOffloads: 0x8000,
      rxDescriptors: 0,
      txDescriptors: 64,
    };
    const report = {
      mode: 'txonly',
      retry: false,
      burst: 32,
      generated: { length: 128, segments: 2 },
      cores: 1,
      ports: [port],
    };
    expect(formatRxTxConfig(report)).toBe(
      [
        '  txonly packet forwarding packets/burst=32',
        '  packet len=128 - nb packet segments=2',
        '  nb forwarding cores=1 - nb forwarding ports=1',
        '  port 0: RX queue number: 2 Tx queue number: 2',
        '    Rx offloads=0x0 Tx offloads=0x8000',
        '    RX queue: 0',
        '      RX desc=0 - RX free threshold=0',
        '      RX threshold registers: pthresh=0 hthresh=0  wthresh=0',
        '      RX Offloads=0x0',
        '    TX queue: 0',
        '      TX desc=64 - TX free threshold=0',
        '      TX threshold registers: pthresh=0 hthresh=0  wthresh=0',
        '      TX offloads=0x8000 - TX RS bit threshold=0',
        '',
      ].join('\n'),
    );
  });
});

describe('forward statistics', () => {
  const port = {
    port: 0,
    rxPackets: 24n,
    rxMissed: 1n,
    rxErrors: 0n,
    rxNoMbuf: 0n,
    txPackets: 20n,
    txDropped: 4n,
  };
  const block = (lines: string[]) => lines.map((line) => `${line}\n`).join('');
  const accumulated = [
    '',
    '  +++++++++++++++ Accumulated forward statistics for all ports+++++++++++++++',
    '  RX-packets: 24             RX-dropped: 1             RX-total: 25',
    '  TX-packets: 20             TX-dropped: 4             TX-total: 24',
    '  ++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++',
  ];

  it('shows ports and their sum', () => {
    expect(formatForwardStats({ mode: 'io', streams: [], ports: [port] })).toBe(
      block([
        '',
        '  ---------------------- Forward statistics for port 0  ----------------------',
        '  RX-packets: 24             RX-dropped: 1             RX-total: 25',
        '  TX-packets: 20             TX-dropped: 4             TX-total: 24',
        '  ----------------------------------------------------------------------------',
        ...accumulated,
      ]),
    );
  });

  it('shows streams, checksums, errors, bursts and cycles when there are any', () => {
    const bad = { ip: 1, l4: 2, outerIp: 0, outerL4: 0 };
    const report: ForwardReport = {
      mode: 'csum',
      streams: [
        { rxPort: 0, rxQueue: 1, txPort: 10, txQueue: 1, rxPackets: 24, txPackets: 20, txDropped: 4, bad },
      ],
      ports: [{ ...port, rxNoMbuf: 5n, bad, rxBursts: [1, 0, 3], txBursts: [0, 0, 0] }],
      cycles: { busyCycles: 1200, hz: 2_599_998_000 },
    };
    expect(formatForwardStats(report)).toBe(
      block([
        '',
        '  ------- Forward Stats for RX Port= 0/Queue= 1 -> TX Port=10/Queue= 1 -------',
        '  RX-packets: 24             TX-packets: 20             TX-dropped: 4               RX- bad IP checksum: 1               ' +
          'Rx- bad L4 checksum: 2              Rx- bad outer L4 checksum: 0             ',
        ' RX- bad outer IP checksum: 0             ',
        '',
        '  ---------------------- Forward statistics for port 0  ----------------------',
        '  RX-packets: 24             RX-dropped: 1             RX-total: 25',
        '  Bad-ipcsum: 1              Bad-l4csum: 2             Bad-outer-l4csum: 0             ',
        '  Bad-outer-ipcsum: 0             ',
        '  RX-error: 0',
        '  RX-nombufs: 5             ',
        '  TX-packets: 20             TX-dropped: 4             TX-total: 24',
        '  RX-bursts : 4 [25% of 0 pkts + 75% of 2 pkts]',
        '  ----------------------------------------------------------------------------',
        ...accumulated.slice(0, 4),
        '  RX-nombufs: 5             ',
        accumulated[4] as string,
        '',
        '  CPU cycles/packet=50.00 (busy cycles=1200 / total csum packets=24) at 2600 MHz Clock',
      ]),
    );
  });

  it('counts cycles per sent packet for engines that only send, and none without packets', () => {
    const cycles = { busyCycles: 1000, hz: 1e9 };
    expect(formatForwardStats({ mode: 'txonly', streams: [], ports: [port], cycles })).toContain(
      'CPU cycles/packet=50.00 (busy cycles=1000 / total txonly packets=20)',
    );
    expect(
      formatForwardStats({ mode: 'io', streams: [], ports: [{ ...port, rxPackets: 0n }], cycles }),
    ).not.toContain('CPU');
  });
});

describe('burst statistics', () => {
  const spread = (entries: Record<number, number>): number[] =>
    Array.from({ length: 513 }, (_, n) => entries[n] ?? 0);

  it.each([
    [{ 32: 369015 }, '  RX-bursts : 369015 [0% of 0 pkts + 100% of 32 pkts]'],
    [{ 0: 9 }, '  RX-bursts : 9 [100% of 0 pkts]'],
    [{ 0: 93, 32: 6, 8: 1 }, '  RX-bursts : 100 [93% of 0 pkts + 6% of 32 pkts + 1% of 8 pkts]'],
    [
      { 0: 930, 32: 60, 8: 8, 9: 2 },
      '  RX-bursts : 1000 [93% of 0 pkts + 6% of 32 pkts + 0% of 8 pkts + 1% of other]',
    ],
  ])('%j', (entries, line) => {
    expect(formatBursts('RX', spread(entries))).toEqual([line]);
  });

  it('says nothing when nothing was recorded', () => {
    expect([formatBursts('TX', undefined), formatBursts('TX', spread({}))]).toEqual([[], []]);
  });
});

it('dump mempool tells size and use', () => {
  const pool = {
    name: 'mb_pool_0',
    size: 4096,
    free: 4000,
    cached: 250,
    dataRoom: 2176,
    cacheSize: 250,
    elementSize: 2240,
  };
  expect(formatPool(pool)).toContain('mempool <mb_pool_0>\n');
  expect(formatPool(pool)).toContain('    total_cache_count=250\n  common_pool_count=3750\n');
});
