/** What one case of the socket harness is: a hostile input of the table, done over a real socket. Cases are plain functions, so that the
 * tests and `npm run hostile` run the same ones. */
import type { DriverBench } from './driver-bench.js';
import type { FrontBench } from './front-bench.js';
import type { Format } from './row.js';

interface CaseFacts {
  /** Number in the table. */
  readonly row: number;
  /** What the peer does, in a few words; unique in its row. */
  readonly what: string;
  /** Ring formats in which it is done. A case that needs no ring is done once. */
  readonly formats: readonly Format[] | 'once';
}

/** A hostile back-end in front of a net_virtio_user port. */
export interface DriverCase extends CaseFacts {
  readonly side: 'driver';
  run(bench: DriverBench): void | Promise<void>;
}

/** A hostile front-end in front of a net_vhost port. */
export interface DeviceCase extends CaseFacts {
  readonly side: 'device';
  run(bench: FrontBench): void | Promise<void>;
}

export type SocketCase = DriverCase | DeviceCase;

const BOTH = ['split', 'packed'] as const;

/** A case of our driver facing a hostile device, in both ring formats unless said otherwise. */
export function driverCase(
  row: number,
  what: string,
  run: DriverCase['run'],
  formats: CaseFacts['formats'] = BOTH,
): DriverCase {
  return { side: 'driver', row, what, formats, run };
}

/** A case of our device facing a hostile front-end; most need no ring. */
export function deviceCase(
  row: number,
  what: string,
  run: DeviceCase['run'],
  formats: CaseFacts['formats'] = 'once',
): DeviceCase {
  return { side: 'device', row, what, formats, run };
}
