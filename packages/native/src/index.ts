/** @pollwire/native: the typed edge of the data path. Exports only. */
export { Arena, arena } from './arena.js';
export type {
  Addon,
  ArenaInfo,
  ArenaOptions,
  LinkFacts,
  NativeEvent,
  PacketOptions,
  PoolInfo,
  SocketReceive,
  VirtioQueueAreas,
  VirtioQueueSetup,
  VirtioRxModes,
  WatchCallback,
} from './binding.js';
export { SlotClosed } from './binding.js';
export type {
  ChainStats,
  InflightRegion,
  MemoryRegion,
  RingConfig,
  TakenChain,
  VhostAddon,
  VhostBindOptions,
} from './binding-vhost.js';
export type { PollwireErrorOptions } from './errors.js';
export { isRetryable, PollwireError, toPollwireError } from './errors.js';
export { L } from './layout.gen.js';
export type { Flavour } from './load.js';
export { FLAVOURS, flavour, native } from './load.js';
export type { Listener as DeviceEventListener } from './native-events.js';
export { onDeviceEvent } from './native-events.js';
export * as sys from './sys.js';
