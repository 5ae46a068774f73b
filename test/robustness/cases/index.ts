/** All cases of the socket harness. */
import type { SocketCase } from '../case.js';
import { DEVICE_LIFE } from './device-life.js';
import { DEVICE_LOG } from './device-log.js';
import { DEVICE_MEMORY } from './device-memory.js';
import { DEVICE_MESSAGES } from './device-messages.js';
import { DEVICE_NEGOTIATION } from './device-negotiation.js';
import { DEVICE_NET } from './device-net.js';
import { DEVICE_RING } from './device-ring.js';
import { DEVICE_VRING } from './device-vring.js';
import { DRIVER_LIFE } from './driver-life.js';
import { DRIVER_PROTOCOL } from './driver-protocol.js';
import { DRIVER_RING } from './driver-ring.js';

export const CASES: readonly SocketCase[] = [
  ...DRIVER_RING,
  ...DRIVER_PROTOCOL,
  ...DRIVER_LIFE,
  ...DEVICE_MESSAGES,
  ...DEVICE_NEGOTIATION,
  ...DEVICE_MEMORY,
  ...DEVICE_LOG,
  ...DEVICE_VRING,
  ...DEVICE_RING,
  ...DEVICE_NET,
  ...DEVICE_LIFE,
];
