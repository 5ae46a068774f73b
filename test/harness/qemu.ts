/**
 * A QEMU guest in front of one or several vhost-user sockets. `startGuest` boots Linux and runs a shell script in it
 * (functions of tools/guest/lib.sh are there); `startIpxe` boots no system at all: the option ROM drives the NIC.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageOptions } from './guest-image.js';
import { guestImage, guestInitrd } from './guest-image.js';
import { tail } from './log-text.js';
import { qemuProgram, qemuVersion } from './peers.js';
import type { ManagedProcess } from './process.js';
import type { GuestNic, MachineOptions } from './qemu-args.js';
import { machineArgs, nicArgs } from './qemu-args.js';
import { QmpClient, tryConnect } from './qmp.js';
import type { Scope } from './scope.js';
import { DeadlineError, waitUntil } from './wait.js';

export interface GuestOptions extends MachineOptions, ImageOptions {
  /** Default `guest`. */
  name?: string;
  nics: readonly GuestNic[];
  /** Shell script; its status is what `finish` returns. */
  script: string;
  /** Further files: path in the guest to content. */
  files?: Record<string, string | Uint8Array>;
  /** The machine survives a reset; otherwise QEMU ends when the guest reboots. Default false. */
  reboot?: boolean;
  /** Added to the kernel command line. */
  kernelArgs?: string;
  /** Further QEMU arguments. */
  qemuArgs?: readonly string[];
}

export class QemuGuest {
  readonly process: ManagedProcess;
  readonly #dir: string;
  #qmp: Promise<QmpClient> | undefined;

  constructor(scope: Scope, process: ManagedProcess, dir: string) {
    this.process = process;
    this.#dir = dir;
    scope.onReport(() => `--- ${process.name} script output\n${tail(this.output(), 30)}`);
    scope.onReport(() => `--- ${process.name} console\n${tail(readText(join(dir, 'console.log')), 8)}`);
    scope.onClose(async () => (await this.#qmp?.catch(() => undefined))?.close());
  }

  /** Everything the guest's script has printed, over all boots. */
  output(): string {
    return readText(join(this.#dir, 'script.log'));
  }

  /**
   * Waits for text in the script's output and returns the match; its `index` plus length is the next `from`.
   *
   * @throws DeadlineError; Error when QEMU ends first
   */
  async waitOutput(pattern: RegExp, timeoutMs: number, from = 0): Promise<RegExpExecArray> {
    const search = new RegExp(pattern.source, 'm');
    return waitUntil(`${this.process.name}: ${pattern}`, timeoutMs, () => {
      const match = search.exec(this.output().slice(from));
      if (match !== null) {
        match.index += from;
        return match;
      }
      if (!this.process.alive) throw new Error(`${this.process.name}: QEMU ended before ${pattern}`);
      return undefined;
    });
  }

  /** Sends one line to the script's standard input. */
  async send(line: string): Promise<void> {
    const socket = await tryConnect(join(this.#dir, 'script.sock'));
    if (socket === undefined) throw new Error(`${this.process.name}: cannot reach the script's serial port`);
    socket.resume();
    await new Promise<void>((resolve) => socket.write(`${line}\n`, () => resolve()));
    // QEMU reads the bytes as the UART drains; closing too early would drop them.
    await new Promise<void>((resolve) => setTimeout(resolve, 200));
    socket.destroy();
  }

  /** Runs a QMP command: `system_reset`, `quit`, `stop`, `cont`, ... */
  async qmp(command: string, args: Record<string, unknown> = {}): Promise<unknown> {
    this.#qmp ??= QmpClient.connect(join(this.#dir, 'qmp.sock'));
    return (await this.#qmp).execute(command, args);
  }

  /** Interface counters printed by the script with `counters DEV`, the latest print. */
  counters(device: string): Map<string, number> {
    const lines = [...this.output().matchAll(new RegExp(`^@@COUNTERS ${device} (.*)$`, 'gm'))];
    const last = lines.at(-1)?.[1];
    if (last === undefined) throw new Error(`the guest script never ran: counters ${device}`);
    return new Map(
      last.split(' ').map((pair) => {
        const [name = '', value = ''] = pair.split('=');
        return [name, Number(value)];
      }),
    );
  }

  /**
   * Waits until the guest has powered off and returns the exit status of its script.
   *
   * @throws DeadlineError; Error when QEMU ended without the script having ended
   */
  async finish(timeoutMs: number): Promise<number> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new DeadlineError(`${this.process.name} to end`, timeoutMs)),
        timeoutMs,
      );
    });
    const status = await Promise.race([this.process.exited, deadline]).finally(() => clearTimeout(timer));
    const exit = [...this.output().matchAll(/^@@EXIT (\d+)/gm)].at(-1);
    if (exit === undefined) {
      throw new Error(
        `${this.process.name}: QEMU ended (${status.signal ?? `status ${status.code}`}) and the script did not`,
      );
    }
    return Number(exit[1]);
  }
}

/** Boots the guest kernel and runs the script. Returns at once; `waitOutput(/@@BOOT/)` waits for the shell. */
export function startGuest(scope: Scope, options: GuestOptions): QemuGuest {
  const name = options.name ?? 'guest';
  const dir = scope.path(name);
  mkdirSync(dir);
  const image = guestImage(options);
  const initrd = guestInitrd(image.initrd, dir, options.script, options.files);
  return startQemu(scope, name, dir, options.nics, [
    ...machineArgs(options),
    '-kernel',
    image.kernel,
    '-initrd',
    initrd,
    '-append',
    `console=ttyS0 panic=-1 edd=off 8250.nr_uarts=4 random.trust_cpu=on quiet ${options.kernelArgs ?? ''}`.trim(),
    ...(options.reboot === true ? [] : ['-no-reboot']),
    ...(options.qemuArgs ?? []),
  ]);
}

/** Boots no operating system: the NIC's iPXE ROM brings the device up and sends DHCP and IPv6 frames. */
export function startIpxe(
  scope: Scope,
  options: { name?: string; nic: GuestNic } & MachineOptions,
): QemuGuest {
  const name = options.name ?? 'ipxe';
  const dir = scope.path(name);
  mkdirSync(dir);
  return startQemu(
    scope,
    name,
    dir,
    [{ ...options.nic, rom: true }],
    [...machineArgs(options), '-boot', 'n'],
  );
}

function startQemu(
  scope: Scope,
  name: string,
  dir: string,
  nics: readonly GuestNic[],
  args: readonly string[],
): QemuGuest {
  const version = qemuVersion();
  for (const log of ['script.log', 'console.log']) writeFileSync(join(dir, log), '');
  const child = scope.start({
    name,
    command: qemuProgram() ?? 'qemu-system-x86_64',
    args: [
      ...args,
      '-serial',
      `file:${join(dir, 'console.log')}`,
      '-chardev',
      `socket,id=script,path=${join(dir, 'script.sock')},server=on,wait=off,logfile=${join(dir, 'script.log')},logappend=on`,
      '-serial',
      'chardev:script',
      '-qmp',
      `unix:${join(dir, 'qmp.sock')},server=on,wait=off`,
      ...nics.flatMap((nic, index) => nicArgs(index, nic, version)),
    ],
  });
  return new QemuGuest(scope, child, dir);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').replaceAll('\r', '');
  } catch {
    return '';
  }
}
