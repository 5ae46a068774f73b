/** @pollwire/testpmd: the application as a library. Exports only. */
export type { Engine, EngineContext, OpenEngine } from './engines/engine.js';
export { ENGINES } from './engines/index.js';
export type { StreamEnds } from './engines/stream.js';
export { Stream } from './engines/stream.js';
export type { EngineSettings, StreamData } from './forward-data.js';
export type { Forwarding } from './forwarding.js';
export { main } from './main.js';
export type { Clock, Output } from './output.js';
export { processOutput, systemClock, TextOutput } from './output.js';
export type { PortControl } from './ports.js';
export type {
  BadChecksums,
  CyclesReport,
  ForwardReport,
  PortForwardReport,
  StreamStatsReport,
} from './report/forward-stats.js';
export type { PortStatsReport } from './report/port-stats.js';
export { Session } from './session.js';
export type {
  ChecksumOffloads,
  EngineName,
  NoisySettings,
  Settings,
  Topology,
  TrafficSettings,
} from './settings.js';
export { defaultSettings, ENGINE_NAMES } from './settings.js';
export type { PortStatistics } from './statistics.js';
export type { ForwardPlan, PlanInput, StreamPlan } from './streams.js';
export { planStreams } from './streams.js';
export type { TestpmdDeps } from './testpmd.js';
export { Testpmd } from './testpmd.js';
