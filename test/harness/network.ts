/** Interfaces and network namespaces for tests. Needs CAP_NET_ADMIN (peer 'net-admin'); everything goes with what made it. */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import type { Scope } from './scope.js';

let serial = 0;

/** A name that no other test uses, short enough for an interface. */
export function uniqueName(): string {
  serial += 1;
  return `pw${(process.pid % 100_000).toString(36)}x${serial}`;
}

/** Runs iproute2's `ip`; its output. */
export function ip(line: string): string {
  return run('ip', line.split(' '));
}

/** Keeps the kernel from sending neighbour and router discovery of its own there. */
export function withoutIpv6(name: string): void {
  const file = `/proc/sys/net/ipv6/conf/${name}/disable_ipv6`;
  if (existsSync(file)) writeFileSync(file, '1');
}

/** A network namespace that ends with the scope, and the interfaces in it with it. */
export class Namespace {
  readonly name = uniqueName();

  constructor(scope: Scope) {
    ip(`netns add ${this.name}`);
    scope.onClose(() => void ip(`netns del ${this.name}`));
    this.ip('link set lo up');
  }

  ip(line: string): string {
    return ip(`-n ${this.name} ${line}`);
  }

  /** Runs a program in the namespace to its end. */
  run(command: string, args: readonly string[]): string {
    return run('ip', ['netns', 'exec', this.name, command, ...args]);
  }

  /** Command and arguments for a process in the namespace. */
  command(command: string, args: readonly string[]): { command: string; args: string[] } {
    return { command: 'ip', args: ['netns', 'exec', this.name, command, ...args] };
  }

  /** Brings `device` in from the namespace that the test runs in, up and with an address. */
  adopt(device: string, address: string): void {
    ip(`link set ${device} netns ${this.name}`);
    this.ip(`addr add ${address} dev ${device}`);
    this.ip(`link set ${device} up`);
  }
}

/** A bridge of the kernel in the namespace that the test runs in, with an address of the host's. It ends with the scope. */
export class Bridge {
  readonly name = uniqueName();

  constructor(scope: Scope, address: string) {
    ip(`link add ${this.name} type bridge`);
    scope.onClose(() => void ip(`link del ${this.name}`));
    withoutIpv6(this.name);
    ip(`addr add ${address} dev ${this.name}`);
    ip(`link set ${this.name} up`);
  }

  /** Makes `device` one of its ports. */
  adopt(device: string): void {
    withoutIpv6(device);
    // With `ip` the option has a name that this repository does not use.
    run('busybox', ['brctl', 'addif', this.name, device]);
    ip(`link set ${device} up`);
  }
}

function run(command: string, args: readonly string[]): string {
  try {
    return execFileSync(command, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
    });
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command} ${args.join(' ')}: ${stderr || stdout || (error as Error).message}`);
  }
}
