/** @pollwire/testkit: for tests only. Exports only. */
export type { DriverCase, DriverPeer } from './describe-driver.js';
export { describeDriver } from './describe-driver.js';
export type { FakeFrontendOptions } from './fake-frontend.js';
export { FakeFrontend } from './fake-frontend.js';
export { INTERESTING_LENGTHS, makeFrame, makeFrames } from './frames.js';
export type { GuestMemoryOptions } from './guest-memory.js';
export { GuestMemory } from './guest-memory.js';
export type { GuestBuffer, UsedChain } from './guest-ring.js';
export { DescFlag, GuestRing } from './guest-ring.js';
export type { RequestAnswer, RequestFrontendOptions } from './request-frontend.js';
export { RequestFrontend } from './request-frontend.js';
