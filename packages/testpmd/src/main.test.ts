/** Rows A22, A25 of docs/vhost.md. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { native } from '@pollwire/native';
import { afterEach, describe, expect, it } from 'vitest';

// The whole program as its users start it: a process, pipes, signals, exit codes.

const BIN = fileURLToPath(new URL('../bin/testpmd.mjs', import.meta.url));
const DEMO = new URL('./demo.js', import.meta.url).href;
const [cpu] = native.usableCpus();
const LCORES = ['--lcores', `0@${cpu},1@${cpu}`, '-m', '64', '--no-huge'];
const PORTS = ['--vdev', 'net_null0', '--vdev=net_null1'];

const running = new Set<ChildProcessWithoutNullStreams>();
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
});

class Program {
  out = '';
  err = '';
  readonly ended: Promise<{ code: number | null; signal: string | null }>;

  constructor(readonly child: ChildProcessWithoutNullStreams) {
    running.add(child);
    child.stdout.on('data', (data) => {
      this.out += data;
    });
    child.stderr.on('data', (data) => {
      this.err += data;
    });
    // A test may close the pipe under it.
    child.stdin.on('error', () => undefined);
    this.ended = new Promise((resolve) => {
      child.on('close', (code, signal) => {
        running.delete(child);
        resolve({ code, signal });
      });
    });
  }

  async says(text: string | RegExp): Promise<void> {
    const has = () => (typeof text === 'string' ? this.out.includes(text) : text.test(this.out));
    await expect.poll(has, { timeout: 10_000, interval: 20 }).toBe(true);
  }
}

const start = (...argv: string[]) => new Program(spawn(process.execPath, [BIN, ...argv]));

/** Runs to the end with commands on standard input. */
async function script(commands: string, ...argv: string[]) {
  const program = start(...argv);
  program.child.stdin.end(commands);
  const { code } = await program.ended;
  return { code, out: program.out, err: program.err };
}

it('forwards between two null ports at the command of a pipe, and leaves nothing behind', async () => {
  const program = start(...LCORES, ...PORTS, '--', '-i', '--idle=adaptive');
  program.child.stdin.write('start\n');
  await program.says('nb forwarding cores=1');
  const moving = () => {
    program.child.stdin.write('show port stats all\n');
    return /testpmd> show port stats all\n\n {2}#{24} NIC statistics for port 0 {2}#{24}\n {2}RX-packets: \d{3,} /.test(
      program.out,
    );
  };
  await expect.poll(moving, { timeout: 10_000, interval: 100 }).toBe(true);
  program.child.stdin.write('stop\nquit\n');
  expect(await program.ended).toEqual({ code: 0, signal: null });
  expect(program.out.startsWith('Interactive-mode selected\nConfiguring Port 0 (socket 0)\n')).toBe(true);
  expect(program.out).toMatch(/Accumulated[^\n]*\n {2}RX-packets: [1-9]\d* /);
  expect(program.out.endsWith('\nBye...\n')).toBe(true);
  expect(existsSync(`/proc/${program.child.pid}`)).toBe(false);
});

it('ends at the end of input', async () => {
  const { code, out } = await script('start\n', ...LCORES, ...PORTS, '--', '-i');
  expect(code).toBe(0);
  expect(out).toContain('Telling cores to stop...');
  expect(out.endsWith('\nBye...\n')).toBe(true);
});

describe('signals', () => {
  it.each([
    ['SIGINT', 'Signal 2'],
    ['SIGTERM', 'Signal 15'],
  ] as const)('%s ends forwarding in order, within two seconds', async (signal, text) => {
    const program = start(...LCORES, ...PORTS, '--', '--stats-period=1');
    await program.says('nb forwarding cores=1');
    const before = performance.now();
    program.child.kill(signal);
    expect(await program.ended).toEqual({ code: 0, signal: null });
    expect(performance.now() - before).toBeLessThan(2000);
    expect(program.err).toContain(`\n${text} received, preparing to exit...\n`);
    expect(program.out.endsWith('\nBye...\n')).toBe(true);
  });

  it('ends a prompt that waits', async () => {
    const program = start(...LCORES, ...PORTS, '--', '-i');
    await program.says('testpmd> ');
    program.child.kill('SIGTERM');
    expect((await program.ended).code).toBe(0);
  });

  it('ends a wait for links', async () => {
    const program = start(
      ...LCORES,
      '--vdev=net_ring0',
      '--',
      '-i',
      '--no-lsc-interrupt',
      '--disable-device-start',
    );
    await program.says('testpmd> ');
    program.child.stdin.write('set link-down port 0\nport start 0\n');
    await program.says('Checking link statuses...');
    program.child.kill('SIGINT');
    expect((await program.ended).code).toBe(0);
  });
});

it('ends when nobody reads its output any more', async () => {
  const program = start(...LCORES, ...PORTS, '--', '--stats-period=1');
  await program.says('nb forwarding cores=1');
  program.child.stdout.destroy();
  expect((await program.ended).code).toBe(0);
});

describe('without a prompt', () => {
  it('forwards until Enter', async () => {
    const program = start(...LCORES, ...PORTS, '--', '--forward-mode=macswap', '--tx-first');
    await program.says('Press enter to exit');
    expect(program.out).toContain('Set macswap packet forwarding mode\n');
    expect(program.out).toContain(
      'No commandline core given, start packet forwarding\nmacswap packet forwarding - ports=2',
    );
    program.child.stdin.write('\n');
    expect((await program.ended).code).toBe(0);
  });

  it('prints a screen of statistics every period, also with input closed', async () => {
    const program = start(...LCORES, ...PORTS, '--', '--stats-period=1');
    program.child.stdin.end();
    await program.says(
      /Port statistics ={36}\n.*Rx-pps: {3,}\d+ .*Port statistics ={36}\n.*Rx-pps: +[1-9]\d* /s,
    );
    program.child.kill('SIGTERM');
    expect((await program.ended).code).toBe(0);
  });
});

describe('what cannot work', () => {
  it.each([
    ['an unknown EAL option', ['--vdve=net_null0'], "--vdve'; did you mean '--vdev'"],
    ['an unknown option', ['--', '--brust=4'], "Unknown option '--brust'; did you mean '--burst'?"],
    ['an unknown driver', ['--vdev=net_nul0', '--', '-i'], 'net_nul'],
    ['an lcore without a CPU', ['-l', '0-99', '--', '-i'], 'Type -l '],
    [
      'a single lcore',
      ['--lcores', `0@${cpu}`, '--', '-i'],
      'The main lcore 0 never forwards and there is no other; give two',
    ],
    [
      'more forwarding lcores than there are',
      [...LCORES, '--', '-i', '--nb-cores=2'],
      '--nb-cores=2: only 1 forwarding lcore exists',
    ],
    [
      'the main lcore in the mask',
      [...LCORES, '--', '-i', '--coremask=1'],
      'lcore 0 is the main lcore, which never forwards',
    ],
    [
      'a port that is not there',
      [...LCORES, ...PORTS, '--', '--portlist=0,4'],
      'names port 4; ports: [ 0 1 ]',
    ],
    ['an offload that a port lacks', [...LCORES, ...PORTS, '--', '--enable-lro'], 'Start ports failed'],
    ['no port to forward on', [...LCORES, '--'], 'Forwarding could not be started'],
    ['more mbufs than memory', [...LCORES, ...PORTS, '--', '--total-num-mbufs=9999999'], 'testpmd: '],
  ])('%s: the reason in one line, exit code 1', async (_name, argv, reason) => {
    const { code, err } = await script('', ...argv);
    expect(code).toBe(1);
    const lines = err.split('\n').filter((line) => line.includes(reason));
    expect(lines).toHaveLength(1);
    expect(err).not.toMatch(/\n {4}at /);
  });

  it('notes options without effect and goes on', async () => {
    const { code, err } = await script('quit\n', ...LCORES, '-n', '4', ...PORTS, '--', '-i', '--no-numa');
    expect(code).toBe(0);
    expect(err).toContain('-n (memory channels) has no effect');
    expect(err).toContain('Accepted without effect: --no-numa.');
  });
});

it('prints help and version without touching anything', async () => {
  const help = await script('', '-h');
  expect([help.code, help.out.includes('--vdev DEVARGS'), help.out.includes('--forward-mode=MODE')]).toEqual([
    0,
    true,
    true,
  ]);
  expect((await script('', '-v')).out).toMatch(/^testpmd \(Pollwire\) \d+\.\d+\.\d+\n$/);
});

it('demonstrates itself until Ctrl-C, with numbers that move', async () => {
  const code = `const { main } = await import(${JSON.stringify(DEMO)}); process.exitCode = await main();`;
  const program = new Program(spawn(process.execPath, ['--input-type=module', '-e', code]));
  await program.says(/\n0 +[1-9][\d ]* +[1-9].*\n0 +[1-9].*\n0 +[1-9]/s);
  program.child.kill('SIGINT');
  expect(await program.ended).toEqual({ code: 0, signal: null });
  expect(program.out).toContain('Pollwire demonstration\n');
  expect(program.out.endsWith('\nStopping.\n')).toBe(true);
  const rates = [...program.out.matchAll(/^0 .{32}(.{16})/gm)].map((match) =>
    Number(match[1]?.replaceAll(' ', '')),
  );
  expect(rates.length).toBeGreaterThan(1);
  for (const rate of rates) expect(rate).toBeGreaterThan(0);
});
