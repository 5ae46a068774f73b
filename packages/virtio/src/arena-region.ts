/** The memory that a virtio-user port shares with its back-end. Called when its rings start. */
import { native, PollwireError } from '@pollwire/native';
import type { SharedRegion } from '@pollwire/vhost-user';

/** The whole arena as one region, guest addresses being our own (GPA = VA). Throws BAD_STATE before the EAL is up. */
export function arenaRegion(): SharedRegion {
  const info = native.arenaInfo();
  if (info === undefined)
    throw new PollwireError('BAD_STATE', 'There is no arena to share; initialise the EAL first.');
  return { guestAddr: info.base, userAddr: info.base, size: BigInt(info.bytes), mmapOffset: 0n, fd: info.fd };
}
