/** @pollwire/virtio: the driver side of virtio rings; default export is the net_virtio_user driver. Exports only. */
export type { FeatureArgs } from './features.js';
export { wishedFeatures } from './features.js';
export { default, default as netVirtioUser } from './virtio-user.js';
