/**
 * Makes a socket path ready to listen on, or says in one line why it cannot be: the checks that DPDK leaves to errno,
 * and the stale file that it leaves to the operator.
 */
import type { Stats } from 'node:fs';
import { existsSync, lstatSync, statSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { PollwireError } from '@pollwire/native';

/** Longest path of a unix socket, bytes (`sun_path` has 108 with its final NUL). */
export const MAX_SOCKET_PATH = 107;

/** Throws `VHOST_BAD_PATH` for an empty path, a NUL in it, or more than 107 bytes. */
export function checkSocketPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes === 0 || path.includes('\0')) {
    throw badPath(path, bytes === 0 ? 'the socket path is empty' : 'the socket path contains a NUL byte');
  }
  if (bytes > MAX_SOCKET_PATH) {
    const text = `the socket path ${path} has ${bytes} bytes; a unix socket takes ${MAX_SOCKET_PATH}. Use a shorter one`;
    throw badPath(path, text);
  }
}

/**
 * Check that a server can listen on `path`; remove a socket file that nobody listens on.
 * @param probe connects to the path and says whether somebody answered
 * @throws PollwireError `VHOST_BAD_PATH` (too long, a directory, a file, a link, no parent directory) or
 * `VHOST_PATH_IN_USE` (a live server)
 */
export function prepareSocketPath(path: string, probe: (path: string) => 'live' | 'stale'): void {
  checkSocketPath(path);
  const found = lstat(path);
  if (found === undefined) {
    checkParent(path);
    return;
  }
  if (!found.isSocket()) {
    throw badPath(path, `${path} is ${kindOf(found)}; give a path that is free, or remove it`);
  }
  if (probe(path) === 'live') {
    const text = `${path} is served by another process; stop it or use another path`;
    throw new PollwireError('VHOST_PATH_IN_USE', text, { details: { path } });
  }
  removeFile(path);
}

/** Remove the socket file if it is still the one that was created, not a successor's. */
export function removeOwnSocket(
  path: string,
  own: { readonly dev: number; readonly ino: number } | undefined,
): void {
  const found = own === undefined ? undefined : lstat(path);
  if (own !== undefined && found?.isSocket() === true && found.dev === own.dev && found.ino === own.ino) {
    removeFile(path);
  }
}

/** Identity of a socket file, to recognise it later; undefined when there is none. */
export function socketIdentity(path: string): { dev: number; ino: number } | undefined {
  const found = lstat(path);
  return found === undefined ? undefined : { dev: found.dev, ino: found.ino };
}

function checkParent(path: string): void {
  const parent = dirname(path);
  if (!existsSync(parent)) {
    throw badPath(path, `the directory ${parent} does not exist; create it first`);
  }
  if (!statSync(parent).isDirectory()) {
    throw badPath(path, `${parent} is not a directory`);
  }
}

function lstat(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw badPath(path, `${path} cannot be inspected: ${(error as Error).message}`, error);
  }
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw badPath(path, `the socket file ${path} cannot be removed: ${(error as Error).message}`, error);
    }
  }
}

function kindOf(found: Stats): string {
  if (found.isDirectory()) {
    return 'a directory';
  }
  if (found.isSymbolicLink()) {
    return 'a symbolic link';
  }
  return found.isFile() ? 'a regular file' : 'a device or pipe';
}

function badPath(path: string, text: string, cause?: unknown): PollwireError {
  const details = { path };
  return new PollwireError('VHOST_BAD_PATH', text, cause === undefined ? { details } : { details, cause });
}
