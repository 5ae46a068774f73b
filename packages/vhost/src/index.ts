/** @pollwire/vhost: the vhost library (device side) and, as default export, the net_vhost driver. Exports only. */
export type { DeviceDescription, NamedBits, RingDescription } from './describe.js';
export type { DeviceListener } from './device.js';
export { VhostDevice } from './device.js';
export type { ConfigSpace, DeviceKind, ReceiveOptions } from './device-kind.js';
export type { OfferOptions } from './features.js';
export { offeredFeatures, RING_FEATURES } from './features.js';
export { default, default as netVhost } from './net-vhost.js';
export type { RequestHandler } from './request-queue.js';
export type { VhostEvents } from './socket.js';
export { VhostSocket } from './socket.js';
export type { LastEnd, VhostDescription } from './socket-history.js';
export { descriptionLines } from './socket-history.js';
export type { VhostOptions } from './socket-options.js';
export { Vring } from './vring.js';
export { VringReceiver, VringTransmitter } from './vring-burst.js';
export type { VringInfo } from './vring-control.js';
export { VringControl } from './vring-control.js';
export { VringRequest } from './vring-request.js';
