/**
 * The guest's kernel and initramfs. The base image comes from tools/guest/initrd.sh (built once, cached); the script of a
 * test and its files go into a small overlay appended to it.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { guestTools } from './paths.js';

export interface GuestImage {
  kernel: string;
  initrd: string;
}

export interface ImageOptions {
  /** Modules loaded before the script runs; default virtio_pci and virtio_net. */
  modules?: readonly string[];
  /** Modules that the script may modprobe. */
  extraModules?: readonly string[];
  /** Programs of the host (found on PATH) beside busybox; default ethtool. */
  programs?: readonly string[];
}

/**
 * Fetches and builds what is missing. The first call on a machine downloads the kernel (about 70 MB).
 *
 * @throws Error with the script's own message when a tool or the package is missing
 */
export function guestImage(options: ImageOptions = {}): GuestImage {
  const flags = [
    ...(options.modules ?? []).flatMap((name) => ['-m', name]),
    ...(options.extraModules ?? []).flatMap((name) => ['-x', name]),
    ...(options.programs ?? []).flatMap((name) => ['-p', name]),
  ];
  const output = execFileSync(join(guestTools, 'initrd.sh'), flags, { encoding: 'utf8' });
  const [kernel, initrd] = output.trim().split(' ');
  if (kernel === undefined || initrd === undefined)
    throw new Error(`unexpected answer of initrd.sh: ${output}`);
  return { kernel, initrd };
}

/**
 * Writes an initramfs that runs `script`: the base image, then an overlay with /run.sh, /lib.sh and `files`.
 *
 * @param folder where the result and its parts are written
 * @param files path in the guest to content; all are executable
 */
export function guestInitrd(
  base: string,
  folder: string,
  script: string,
  files: Record<string, string | Uint8Array> = {},
): string {
  const staging = join(folder, 'overlay');
  const overlay = join(folder, 'overlay.gz');
  const result = join(folder, 'initrd');
  mkdirSync(staging, { recursive: true });
  copyFileSync(join(guestTools, 'lib.sh'), join(staging, 'lib.sh'));
  for (const [name, content] of Object.entries({ 'run.sh': script, ...files })) {
    const path = join(staging, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    chmodSync(path, 0o755);
  }
  execFileSync(join(guestTools, 'pack.sh'), [staging, overlay]);
  writeFileSync(result, Buffer.concat([readFileSync(base), readFileSync(overlay)]));
  rmSync(staging, { recursive: true });
  return result;
}
