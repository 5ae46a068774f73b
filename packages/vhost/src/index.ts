/** @pollwire/vhost: the vhost library (device side) and, as default export, the net_vhost driver. Exports only. */
export type { DeviceListener } from './device.js';
export { VhostDevice } from './device.js';
export type { OfferOptions } from './features.js';
export { offeredFeatures } from './features.js';
export { default, default as netVhost } from './net-vhost.js';
export type { VhostEvents, VhostOptions } from './socket.js';
export { VhostSocket } from './socket.js';
export { Vring } from './vring.js';
export { VringReceiver, VringTransmitter } from './vring-burst.js';
