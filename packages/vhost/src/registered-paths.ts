/** Socket paths of this isolate that a VhostSocket has taken. Two of them on one path would take turns at random, or fail one by one. */
import { resolve } from 'node:path';
import { PollwireError } from '@pollwire/native';

const taken = new Set<string>();

/**
 * Takes a path until the returned function is called (twice is harmless).
 * @throws PollwireError `VHOST_PATH_REGISTERED`
 */
export function registerPath(path: string): () => void {
  const full = resolve(path);
  if (taken.has(full)) {
    const text = `${path} is registered already in this program; close that socket first, or use another path.`;
    throw new PollwireError('VHOST_PATH_REGISTERED', text, { details: { path } });
  }
  taken.add(full);
  let held = true;
  return () => {
    if (held) taken.delete(full);
    held = false;
  };
}
