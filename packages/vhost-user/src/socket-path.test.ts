/** Paths that a server can have, and the sentence for those that it cannot. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { prepareSocketPath, removeOwnSocket, socketIdentity } from './socket-path.js';

let dir: string;
let servers: Server[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vhost-user-'));
  servers = [];
});
afterEach(() => {
  for (const server of servers) {
    server.close();
  }
  rmSync(dir, { recursive: true, force: true });
});

/** Make a socket file by listening on it. */
async function listen(path: string): Promise<void> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(path, resolve));
}

const never = () => {
  throw new Error('the probe was not expected');
};

describe('a path to listen on', () => {
  it('may be free', () => {
    expect(() => prepareSocketPath(join(dir, 'sock'), never)).not.toThrow();
  });

  it.each([
    ['empty', () => '', 'empty'],
    ['with a NUL', () => 'a\0b', 'NUL'],
    ['too long', () => `/tmp/${'x'.repeat(103)}`, '108 bytes'],
    ['too long in bytes, not in characters', () => `/tmp/${'ü'.repeat(52)}`, '109 bytes'],
    ['a directory', () => dir, 'is a directory'],
    ['without a parent', () => join(dir, 'no', 'sock'), 'does not exist'],
  ])('%s is refused', (_what, path, text) => {
    expect(() => prepareSocketPath(path(), never)).toThrow(text);
    expect(() => prepareSocketPath(path(), never)).toThrow(
      expect.objectContaining({ code: 'VHOST_BAD_PATH' }),
    );
  });

  it('of 107 bytes is taken', () => {
    expect(() => prepareSocketPath(`/tmp/${'x'.repeat(102)}`, never)).not.toThrow();
  });

  it('that is a file or a link is refused and left alone', () => {
    const file = join(dir, 'file');
    const link = join(dir, 'link');
    writeFileSync(file, 'precious');
    symlinkSync(file, link);
    expect(() => prepareSocketPath(file, never)).toThrow('a regular file');
    expect(() => prepareSocketPath(link, never)).toThrow('a symbolic link');
    expect(existsSync(file)).toBe(true);
    mkdirSync(join(dir, 'sub'));
    expect(() => prepareSocketPath(join(file, 'sock'), never)).toThrow(
      expect.objectContaining({ code: 'VHOST_BAD_PATH' }),
    );
  });

  it('with a live server is refused, with a dead one replaced', async () => {
    const path = join(dir, 'sock');
    await listen(path);
    expect(() => prepareSocketPath(path, () => 'live')).toThrow(
      expect.objectContaining({ code: 'VHOST_PATH_IN_USE' }),
    );
    expect(existsSync(path)).toBe(true);
    const probe = vi.fn(() => 'stale' as const);
    prepareSocketPath(path, probe);
    expect(probe).toHaveBeenCalledWith(path);
    expect(existsSync(path)).toBe(false);
  });
});

describe('the own socket file', () => {
  it('is removed, a successor is not', async () => {
    const path = join(dir, 'sock');
    await listen(path);
    const own = socketIdentity(path);
    removeOwnSocket(path, undefined);
    expect(existsSync(path)).toBe(true);
    removeOwnSocket(path, { dev: own?.dev ?? 0, ino: (own?.ino ?? 0) + 1 });
    expect(existsSync(path)).toBe(true);
    removeOwnSocket(path, own);
    expect(existsSync(path)).toBe(false);
    expect(socketIdentity(path)).toBeUndefined();
    removeOwnSocket(path, own);
  });
});
