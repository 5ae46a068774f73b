/** @pollwire/testpmd: the application as a library. Exports only. */
export type { Engine, EngineContext, OpenEngine } from './engines/engine.js';
export { ENGINES } from './engines/index.js';
export { Stream } from './engines/stream.js';
export { main } from './main.js';
export type { Clock, Output } from './output.js';
export { processOutput, systemClock, TextOutput } from './output.js';
export { Session } from './session.js';
export type { EngineName, Settings, Topology } from './settings.js';
export { defaultSettings, ENGINE_NAMES } from './settings.js';
export type { ForwardPlan, StreamPlan } from './streams.js';
export { planStreams } from './streams.js';
export { Testpmd } from './testpmd.js';
