/**
 * The first thing that keeps packets (or requests) from flowing, in words for the person who has to change it. Asked by VhostDevice,
 * `show vhost` and ports.
 */
import { native } from '@pollwire/native';
import type { BackendSession } from '@pollwire/vhost-user';
import type { Vring } from './vring.js';

/** What is looked at. */
export interface Readiness {
  readonly id: number;
  readonly ready: boolean;
  readonly rings: readonly Vring[];
  readonly readyRings: number;
  readonly session: BackendSession | undefined;
}

/** What to change when a front-end's memory cannot be seen. */
const SHARE =
  'give the guest shared memory, with QEMU: -object memory-backend-memfd,id=mem,size=SIZE,share=on -numa node,memdev=mem';

/** Undefined when everything is in order as far as messages and rings tell. */
export function whyNotReady(device: Readiness): string | undefined {
  const { session } = device;
  if (device.ready) return undefined;
  if (session !== undefined && !session.featuresSet) {
    return 'the front-end has not set features (SET_FEATURES): its driver is not loaded yet';
  }
  const noMemory = session !== undefined && session.regions.length === 0;
  for (const { index, missing } of device.rings.slice(0, device.readyRings)) {
    if (missing === undefined) continue;
    if (!noMemory) return `ring ${index}: ${missing}`;
    const first = missing.includes('SET_MEM_TABLE') ? '' : `${missing}; and `;
    return `ring ${index}: ${first}the front-end shares no guest memory (SET_MEM_TABLE): ${SHARE}`;
  }
  return 'the driver has not set DRIVER_OK';
}

/**
 * A guest whose memory is private (`share=off`): it sends its file, but what it writes stays with it. Rings then look as if no driver
 * had ever touched them, while it kicks.
 */
export function privateMemory(device: Readiness): string | undefined {
  if (memoryMayBeAbsent(device)) return undefined;
  const looks = device.rings
    .filter((ring) => ring.started)
    .map((ring) => ({ ring, ...native.vhostRingInspect(device.id, ring.index) }));
  if (looks.length === 0 || !looks.every(({ blank }) => blank)) return undefined;
  const kicked = looks.find(({ kickPending }) => kickPending);
  if (kicked === undefined) return undefined;
  return (
    `the driver kicked ring ${kicked.ring.index}, but all its rings are blank here: the guest's memory is private ` +
    `(share=off); ${SHARE}`
  );
}

/** While a postcopy migration runs, only bursts touch guest memory: whoever looks might wait for a page that we are to ask for. */
export function memoryMayBeAbsent(device: Pick<Readiness, 'session'>): boolean {
  return (device.session?.postcopy ?? 'off') !== 'off';
}
