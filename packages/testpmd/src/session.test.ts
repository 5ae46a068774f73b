import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TestApp } from './fixtures/app.js';
import { ENGINE_NAMES } from './settings.js';

let t: TestApp;
const type = (line: string) => t.type(line);
/** Runs a line that should only complain. */
async function refused(line: string): Promise<string[]> {
  expect(await type(line)).toBe('');
  return t.complaints();
}

beforeAll(async () => {
  t = await TestApp.open(['net_null0', 'net_null1']);
});
beforeEach(() => void t.complaints());
afterAll(async () => void (await t.close()));

it('starts up with the lines of DPDK', async () => {
  await t.app.boot();
  expect(t.out.take()).toMatch(
    /^Configuring Port 0 \(socket 0\)\nPort 0: [0-9A-F:]{17}\nConfiguring Port 1 \(socket 0\)\nPort 1: [0-9A-F:]{17}\nChecking link statuses\.\.\.\nDone\n$/,
  );
  expect(t.complaints()).toEqual([
    'testpmd: create a new mbuf pool <mb_pool_0>: n=6144, size=2176, socket=0',
    'testpmd: preferred mempool ops selected: ring_mp_mc',
  ]);
});

describe('what is not a command', () => {
  it.each([
    ['frobnicate', 'Command not found\n'],
    ['set burst', 'Bad arguments\n'],
    ['set fwd foo', 'Bad arguments\n'],
    ['show port info', 'Bad arguments\n'],
    ['', ''],
    ['# a comment', ''],
  ])('%j', async (line, answer) => {
    expect(await type(line)).toBe(answer);
  });
});

describe('forwarding', () => {
  it('refuses to stop what has not started', async () => {
    expect(await refused('stop')).toEqual(['Packet forwarding not started']);
    expect(await refused('show fwd stats all')).toEqual(['Packet forwarding not started']);
  });

  it('starts, counts, and stops with the statistics', async () => {
    const started = await type('start');
    expect(started).toContain(
      'io packet forwarding - ports=2 - cores=1 - streams=2 - NUMA support enabled, MP allocation mode: native\n' +
        'Logical Core 1 (socket 0) forwards packets on 2 streams:\n' +
        '  RX P=0/Q=0 (socket 0) -> TX P=1/Q=0 (socket 0) peer=02:00:00:00:00:01\n' +
        '  RX P=1/Q=0 (socket 0) -> TX P=0/Q=0 (socket 0) peer=02:00:00:00:00:00\n\n' +
        '  io packet forwarding packets/burst=32\n  nb forwarding cores=1 - nb forwarding ports=2\n',
    );
    expect(await refused('start')).toEqual(['Packet forwarding already started']);
    expect(await refused('start tx_first')).toEqual(['Packet forwarding already started']);
    await expect.poll(() => t.app.ports.get(0)?.stats().opackets).toBeGreaterThan(100_000n);
    expect(await type('show port stats all')).toMatch(/TX-packets: \d{6,} /);
    const stopped = await type('stop');
    expect(stopped).toMatch(
      /^Telling cores to stop\.\.\.\nWaiting for lcores to finish\.\.\.\n\n {2}-{22} Forward/,
    );
    expect(stopped.endsWith('\n\nDone.\n')).toBe(true);
    const totals =
      /Accumulated[^\n]*\n {2}RX-packets: (\d+) [^\n]*\n {2}TX-packets: (\d+) +TX-dropped: (\d+)/.exec(
        stopped,
      );
    // What was flushed before the start does not count: everything received was sent.
    expect(totals?.[1]).toBe(totals?.[2]);
    expect(totals?.[3]).toBe('0');
  });

  it('shows the last run until the next, from zero after clear', async () => {
    expect(await type('show fwd stats all')).not.toContain('RX-packets: 0 ');
    expect(await type('clear fwd stats all')).toBe('');
    expect(await type('show fwd stats all')).toContain(
      'RX-packets: 0              RX-dropped: 0             RX-total: 0\n',
    );
  });

  it.each(ENGINE_NAMES)('runs the engine %s on an lcore', async (name) => {
    expect(await type(`set fwd ${name}`)).toBe(`Set ${name} packet forwarding mode\n`);
    await type('start');
    await expect.poll(() => t.app.eal.lcore(1).stats().work).toBeGreaterThan(1000);
    expect(await type('stop')).toContain('Accumulated forward statistics');
    expect(t.complaints()).toEqual([]);
  });

  it('measures cycles and bursts when told to', async () => {
    await type('set fwd rxonly');
    await type('set record-core-cycles on');
    await type('set record-burst-stats on');
    await type('start');
    await expect.poll(() => t.app.eal.lcore(1).stats().work).toBeGreaterThan(100_000);
    const stopped = await type('stop');
    expect(stopped).toMatch(/\n {2}RX-bursts : \d+ \[0% of 0 pkts \+ 100% of 32 pkts\]\n/);
    expect(stopped).toMatch(
      /\n {2}CPU cycles\/packet=\d+\.\d\d \(busy cycles=\d+ \/ total rxonly packets=\d+\) at \d+ MHz Clock\n/,
    );
    await type('set record-core-cycles off');
    await type('set record-burst-stats off');
  });

  it('shows retry where it is set', async () => {
    expect(await type('set fwd mac retry')).toBe('Set mac packet forwarding mode with retry\n');
    await type('set burst tx delay 5 retry 10');
    expect(await type('show config fwd')).toContain(
      'mac packet forwarding with retry - ports=2 - cores=1 - streams=2 - NUMA support enabled, MP allocation mode: native\n' +
        'TX retry num: 10, delay between TX retries: 5us\n',
    );
    expect(await type('set default')).toBe('Reset to default forwarding configuration...\n');
    expect(await type('show config fwd')).toContain('io packet forwarding - ports=2');
  });

  it('spreads streams over lcores', async () => {
    expect(await type('set nbcore 2')).toBe('Number of forwarding cores set to 2\n');
    expect(await type('show config cores')).toBe('List of forwarding lcores:  1 2\n');
    await type('start');
    await expect.poll(() => t.app.eal.lcore(2).stats().work).toBeGreaterThan(1000);
    await type('stop');
    await type('set nbcore 1');
  });
});

describe('set', () => {
  it.each([
    ['set burst 16', 'Number of packets per burst set to 16\n'],
    ['set verbose 0', 'Change verbose level from 0 to 0\n'],
    [
      'set nbport 1',
      'Number of forwarding ports set to 1\n\nWarning! port-topology=paired and odd forward ports number, the last port will pair with itself.\n\n',
    ],
    ['set portlist 1,0', 'previous number of forwarding ports 1 - changed to number of configured ports 2\n'],
    ['set portmask 3', ''],
    ['set corelist 1', ''],
    ['set coremask 0x2', ''],
    ['set txpkts 64,64', ''],
    ['show config txpkts', 'Number of segments: 2\nSegment sizes: 64,64\nSplit packet: off\n'],
    ['set promisc all on', ''],
    ['set allmulti 0 on', ''],
    ['set eth-peer 0 00:11:22:33:44:55', ''],
    ['set flush_rx on', ''],
    ['set log global 6', ''],
    ['set log pmd.* 8', ''],
    ['set xstats-hide-zero off', ''],
  ])('%s', async (line, answer) => {
    expect(await type(line)).toBe(answer);
    expect(t.complaints()).toEqual([]);
  });

  it.each([
    ['set burst 600', 'nb pkt per burst: 600 > 512 (maximum packet per burst)  ignored'],
    ['set nbcore 5', 'nb fwd cores 5 > 1 (max. number of configured lcores) - ignored'],
    ['set nbport 9', 'nb fwd ports 9 > 2 (number of configured ports) - ignored'],
    [
      'set corelist 0',
      'lcore 0 cannot be masked on for running packet forwarding, which is the main lcore and reserved for command line parsing only',
    ],
    ['set corelist 7', 'lcore 7 not enabled'],
    ['set portlist 0,5', 'Invalid port 5'],
    ['set txpkts 3000', 'length[0]=3000 > mbuf_data_size=2048 - give up'],
    ['set promisc 0 off', 'Error during disabling promiscuous mode for port 0: Operation not supported'],
    ['set eth-peer 99 00:11:22:33:44:55', 'Error: Invalid port number 99'],
    ['set link-up port 0', '\nSet link up fail.'],
    ['set link-down port 7', 'Invalid port 7'],
  ])('%s is refused', async (line, complaint) => {
    expect(await refused(line)).toEqual([complaint]);
  });

  it('says two things about a port that does not exist', async () => {
    expect(await refused('set promisc 9 off')).toEqual([
      'Invalid port_id=9',
      'Error during disabling promiscuous mode for port 9: No such device',
    ]);
  });
});

describe('show and clear', () => {
  it('names the valid ports', async () => {
    expect(await type('show port info 9')).toBe('The valid ports array is [ 0 1 ]\n');
    expect(t.complaints()).toEqual(['Invalid port 9']);
  });

  it('shows every port for all', async () => {
    const text = await type('show port info all');
    expect(text.match(/\*{21} Infos for port \d {2}\*{21}/g)).toHaveLength(2);
    expect(text.match(/Device name: net_null[01]\n/g)).toHaveLength(2);
    expect(await type('show port summary 0')).toMatch(
      /^Number of available ports: 2\nPort MAC.*\n0 {4}.{17} net_null0 {4}net_null {7}up {7}10 Gbps\n$/,
    );
    expect(await type('show port 0 macs')).toMatch(/^Number of MAC address added: 1\n {2}[0-9A-F:]{17}\n$/);
    expect((await type('show device info all')).match(/Infos for device net_null/g)).toHaveLength(2);
  });

  it('sets counters back', async () => {
    expect(await type('show port xstats 0')).not.toContain('rx_good_packets: 0\n');
    expect(await type('clear port stats all')).toBe(
      '\n  NIC statistics for port 0 cleared\n\n  NIC statistics for port 1 cleared\n',
    );
    expect(await type('show port xstats 0')).toContain('rx_good_packets: 0\n');
    expect(await type('clear port xstats 0')).toBe('');
  });

  it('shows queues, and refuses those that are not there', async () => {
    expect(await type('show rxq info 0 0')).toContain('Mempool: mb_pool_0\n');
    expect(await type('show txq info 1 0')).toContain('Tx queue state: started\n');
    expect((await refused('show rxq info 0 7'))[0]).toBe(
      'Failed to retrieve information for port: 0, RX queue: 7',
    );
  });

  it('dumps pools and device arguments in both spellings', async () => {
    expect(await type('dump_mempool')).toContain('mempool <mb_pool_0>\n');
    expect(await type('dump devargs')).toBe('User device list:\n  [vdev]: net_null0\n  [vdev]: net_null1\n');
  });
});

describe('ports', () => {
  it('comes and goes while others forward', async () => {
    await type('set portlist 0,1');
    await type('start');
    expect(await type('port attach net_ring7,size=64')).toBe(
      'Attaching a new port...\nPort 2 is attached. Now total ports is 3\nDone\n',
    );
    expect(await type('port start 2')).toMatch(
      /^Configuring Port 2 \(socket 0\)\nPort 2: .*\nChecking link statuses\.\.\.\nDone\n$/,
    );
    expect(await type('port detach 2')).toBe('');
    expect(t.complaints()).toEqual(['Port not stopped']);
    expect(await type('port stop 2')).toBe('Stopping ports...\nChecking link statuses...\nDone\n');
    expect(await type('port stop 2')).toBe('Stopping ports...\nDone\n');
    expect(await type('port detach 2')).toBe(
      'Removing a device...\nPort 2 is closed\nDevice is detached\nNow total ports is 2\nDone\n',
    );
    expect(t.complaints()).toEqual(['Port was not closed']);
    expect(await type('port stop 0')).toBe('Stopping ports...\nDone\n');
    expect(t.complaints()).toEqual(['Please remove port 0 from forwarding configuration.']);
    const before = t.app.ports.get(0)?.stats().opackets ?? 0n;
    await expect.poll(() => t.app.ports.get(0)?.stats().opackets).toBeGreaterThan(before);
    await type('stop');
  });

  it('joins the ports that were chosen by hand, until it leaves', async () => {
    await type('set portlist 1,0');
    await type('port attach net_ring7');
    expect(t.app.forwarding.forwardingPorts()).toEqual([1, 0, 2]);
    await type('port detach 2');
    expect(t.app.forwarding.forwardingPorts()).toEqual([1, 0]);
    await type('set portlist 0,1');
  });

  it('stops once when asked twice at the same time', async () => {
    await type('start');
    t.out.take();
    await Promise.all([t.app.forwarding.stop(), t.app.forwarding.stop()]);
    expect(t.out.take().match(/Telling cores to stop/g)).toHaveLength(1);
    expect(t.app.forwarding.running).toBe(false);
  });

  it('takes a device by name', async () => {
    await type('port attach net_ring8');
    expect(await type('device detach net_ring8')).toBe(
      'Removing a device...\nPort 2 is closed\nDevice net_ring8 is detached\nNow total ports is 2\nDone\n',
    );
    expect(await type('device detach net_ring9')).toBe('Removing a device...\n');
    expect(t.complaints()[0]).toContain('Failed to detach device net_ring9(vdev)');
  });

  it('says why a port cannot be attached', async () => {
    expect(await type('port attach net_nul5')).toBe('Attaching a new port...\n');
    const [reason, last] = t.complaints();
    expect(reason).toContain('net_null');
    expect(last).toBe('testpmd: Failed to attach port net_nul5');
    await type('port attach net_null0');
    expect(t.complaints().at(-1)).toBe('testpmd: Failed to attach port net_null0');
    expect(await refused('port detach 33')).toEqual(['Invalid port_id=33']);
  });

  it('changes queues only while ports are stopped, and configures again then', async () => {
    expect(await refused('port config all rxq 2')).toEqual(['Please stop all ports first']);
    expect(await type('port stop all')).toBe('Stopping ports...\nChecking link statuses...\nDone\n');
    expect(await refused('start')).toEqual(['Not all ports were started']);
    expect(await refused('port config all rxq 2000')).toEqual([
      "Fail: input rxq (2000) can't be greater than max_rx_queues (128) of port 0",
    ]);
    expect(await type('port config all rxq 2')).toBe('');
    expect(await type('port config all txq 2')).toBe('');
    expect(await type('port start all')).toMatch(
      /^Configuring Port 0 .*\nPort 0: .*\nConfiguring Port 1 .*\nPort 1: .*\nChecking link statuses\.\.\.\nDone\n$/,
    );
    expect(await type('port start 0')).toBe('Please stop the ports first\nDone\n');
    expect(t.complaints()).toEqual(['Port 0 is now not stopped']);
    const config = await type('show config fwd');
    expect(config).toContain('streams=4');
    expect(config).toContain('  RX P=1/Q=1 (socket 0) -> TX P=0/Q=1 (socket 0) peer=00:11:22:33:44:55\n');
  });

  it('answers as DPDK where a driver lacks something', async () => {
    expect(await refused('port config mtu 0 2000')).toEqual(['Set MTU failed. diag=-95']);
    expect((await refused('mac_addr set 0 02:00:00:00:00:09'))[0]).toBe(
      'mac_addr_cmd error: (Operation not supported)',
    );
    expect(await refused('port reset 0')).toEqual(['Can not reset port(s), please stop port(s) first.']);
    await type('port stop all');
    expect(await type('port reset 0')).toBe('Resetting ports...\nDone\n');
    expect(t.complaints()).toEqual(['Failed to reset port 0. diag=-95']);
    await type('port start all');
    expect(await type('port close 0')).toBe('Closing ports...\nDone\n');
    expect(t.complaints()).toEqual(['Cannot close started device (port 0)']);
  });
});

describe('files and help', () => {
  it('runs a file, with and without echo, and goes on after a bad line', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'commands-'));
    const file = join(folder, 'commands');
    writeFileSync(file, 'set burst 8\n\nnonsense\n# comment\nset burst 32\n');
    try {
      const answers = [
        'Number of packets per burst set to 8\n',
        'Command not found\n',
        'Number of packets per burst set to 32\n',
      ];
      expect(await type(`load ${file}`)).toBe(`${answers.join('')}Read CLI commands from ${file}\n`);
      expect(await type(`load_echo ${file}`)).toBe(
        `testpmd> set burst 8\n${answers[0]}testpmd> nonsense\n${answers[1]}testpmd> # comment\ntestpmd> set burst 32\n` +
          `${answers[2]}Read CLI commands from ${file}\n`,
      );
      expect((await refused('load /nonexistent/file'))[0]).toContain(
        'Failed to create file based cmdline context: /nonexistent/file',
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('lists sections, and each command with its usage', async () => {
    expect(await type('help')).toContain('    help ports                      : ');
    const all = await type('help all');
    for (const usage of [
      'start tx_first (bursts)',
      'show port (info|stats|xstats|summary) (port_id|all)',
      'port attach',
    ]) {
      expect(all).toContain(usage);
    }
    expect(await type('help devices')).toBe(
      '\nDevices:\n--------\n\ndevice detach (name)\n    Remove a device and its stopped port.\n\n',
    );
  });

  it('completes commands and port ids', () => {
    expect(t.session.complete('set f')).toEqual([['flush_rx', 'fwd'], 'f']);
    expect(t.session.complete('port stop ')).toEqual([['0', '1', 'all'], '']);
  });
});

it('ends in the order of DPDK, also while forwarding', async () => {
  await type('start');
  await type('quit');
  expect(t.app.quitSignal.aborted).toBe(true);
  const text = await t.close();
  expect(text.startsWith('Telling cores to stop...\n')).toBe(true);
  const end = [0, 1].map((p) => `\nStopping port ${p}...\nStopping ports...\nDone\n`).join('');
  const shut = [0, 1]
    .map((p) => `\nShutting down port ${p}...\nClosing ports...\nPort ${p} is closed\nDone\n`)
    .join('');
  expect(text.endsWith(`\nDone.\n${end}${shut}\nBye...\n`)).toBe(true);
});
