// @ts-check
// One set-up at a time per checkout. The lock is a listening socket in Linux's abstract namespace: the kernel
// drops it when its owner dies in whatever way, so no stale lock can exist. Called by setup.mjs.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { ROOT } from './paths.mjs';

/**
 * Runs `work` while holding the lock of this checkout.
 * @template T
 * @param {() => Promise<T>} work
 * @param {() => void} onWait called once when somebody else holds the lock
 * @param {string} [name] what is locked
 * @returns {Promise<T>}
 */
export async function withLock(work, onWait, name = ROOT) {
  const address = `\0pollwire-${process.getuid?.()}-${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
  let waited = false;
  let server = await tryListen(address);
  while (server === undefined) {
    if (!waited) onWait();
    waited = true;
    await untilReleased(address);
    server = await tryListen(address);
  }
  try {
    return await work();
  } finally {
    const closed = once(server, 'close');
    server.close();
    server.emit('release');
    await closed;
  }
}

/**
 * @param {string} address
 * @returns {Promise<import('node:net').Server | undefined>} undefined when another process listens
 */
function tryListen(address) {
  return new Promise((resolve, reject) => {
    const server = createServer((waiter) => {
      waiter.on('error', () => {});
      waiter.unref();
      server.once('release', () => waiter.destroy());
    });
    server.setMaxListeners(0);
    server.on('error', (/** @type {NodeJS.ErrnoException} */ error) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    );
    server.listen(address, () => resolve(server));
  });
}

/**
 * Resolves when the owner of the lock closes its end or has gone.
 * @param {string} address
 * @returns {Promise<void>}
 */
function untilReleased(address) {
  return new Promise((resolve) => {
    const socket = connect(address);
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.resume();
  });
}
