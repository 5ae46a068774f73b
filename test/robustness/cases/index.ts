/** All cases of the socket harness. */
import type { SocketCase } from '../case.js';
import { DRIVER_LIFE } from './driver-life.js';
import { DRIVER_PROTOCOL } from './driver-protocol.js';
import { DRIVER_RING } from './driver-ring.js';

export const CASES: readonly SocketCase[] = [...DRIVER_RING, ...DRIVER_PROTOCOL, ...DRIVER_LIFE];
