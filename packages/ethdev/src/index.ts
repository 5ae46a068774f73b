/** @pollwire/ethdev: the framework. Exports only. */
export type {
  ArgKind,
  ArgsOf,
  ArgsSchema,
  Common as ArgOptions,
  Kind as ArgKindOf,
  Presence as ArgPresence,
} from './args-schema.js';
export { bool, choice, flag, int, later, list, mac, parseArgs, path, str } from './args-schema.js';
export { Burst } from './burst.js';
export type { Devargs, DevargsObject, DevargsPair, DevargsValue } from './devargs.js';
export { devargsOf, formatDevargs, parseDevargs } from './devargs.js';
export type {
  Capabilities,
  DescriptorLimits,
  Device,
  Diagnosis,
  Driver,
  DriverDefinition,
  Limits,
  Maybe,
  PortConfig,
  ProbeContext,
  QueueEnd,
  RxQueueSetup,
  TxQueueSetup,
} from './driver.js';
export { defineDriver } from './driver.js';
export type { EalEvents } from './eal.js';
export { Eal } from './eal.js';
export type { EalOptions, ParsedEalArgs } from './eal-args.js';
export { ealHelp, parseEalArgs } from './eal-args.js';
export type { ErrorSink, EventMap, Listener as EventListener } from './events.js';
export { TypedEmitter } from './events.js';
export { HeaderEdit } from './header-edit.js';
export type { IdleMode } from './idle.js';
export { IDLE_MODES } from './idle.js';
export type { IsolateEnv } from './isolate.js';
export type { LaunchOptions } from './lcore.js';
export { Lcore } from './lcore.js';
export type { LcoreStats } from './lcore-block.js';
export type { LcoreSpec } from './lcore-list.js';
export { formatRanges, parseCoremask, parseLcoreList } from './lcore-list.js';
export type { World } from './lcore-protocol.js';
export type { LinkStatus } from './link.js';
export { formatLink, formatSpeed, LINK_DOWN, SPEED_UNKNOWN } from './link.js';
export type { LogBudget, LogLevel, LogSink } from './log.js';
export { LOG_LEVELS, Logger, LogRoot, parseLogLevel } from './log.js';
export { formatMac, parseMac, randomMac, toMac } from './mac.js';
export { Mbufs } from './mbuf.js';
export type { PoolOptions, PoolView } from './mempool.js';
export { DEFAULT_CACHE, DEFAULT_DATA_ROOM, Mempool, MempoolRef } from './mempool.js';
export type { RxOffload, TxOffload } from './offloads.js';
export {
  QINQ_STRIP,
  RX_OFFLOADS,
  rxOffloadMask,
  rxOffloadNames,
  TX_OFFLOADS,
  txOffloadMask,
  txOffloadNames,
  VLAN_EXTEND,
  VLAN_FILTER,
  VLAN_STRIP,
  vlanOffloadOf,
  withVlanOffload,
} from './offloads.js';
export type { PollContext, PollDefinition, PollFunction } from './poll.js';
export { definePoll } from './poll.js';
export type { PortEvents } from './port.js';
export { Port } from './port.js';
export type { DescriptorInfo, PortInfo } from './port-info.js';
export { adjustDescriptors } from './port-info.js';
export type { PortConfigOptions, RxQueueOptions, TxQueueOptions } from './port-queues.js';
export type { PortView } from './port-ref.js';
export { PortRef } from './port-ref.js';
export type { PortMove, PortState } from './port-state.js';
export { canMove, PORT_MOVES, PORT_STATES } from './port-state.js';
export type { QueueControl, QueueSetupInfo, RxQueue, TxQueue } from './queue.js';
export type { QueueEvent } from './queue-events.js';
export type { QueueView } from './queue-ref.js';
export { RxQueueRef, TxQueueRef } from './queue-ref.js';
export type { RxCallback, TxCallback } from './queue-slow.js';
export { DriverRegistry } from './registry.js';
export type { RingOptions, RingView } from './ring.js';
export { Ring, RingRef } from './ring.js';
export { Run } from './run.js';
export type { OpenQueue, ScriptContext, ScriptRx, ScriptTx } from './script-queue.js';
export { defineQueue, ScriptModules } from './script-queue.js';
export type { CounterName, PortStats, QueueStats, Xstat } from './stats.js';
export { QueueCounters } from './stats.js';
export { Stepper } from './stepper.js';
export { didYouMean, endSentence, sentenceList, suggest } from './suggest.js';
export type { NamedCounters } from './traffic-stats.js';
export { FRAME_STATS, namedStats, TRAFFIC_STATS } from './traffic-stats.js';
