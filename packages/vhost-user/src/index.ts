/** @pollwire/vhost-user: the vhost-user protocol, both roles. Exports only. */
export type { AcceptorHandler, AcceptorOptions, Ending } from './acceptor.js';
export { Acceptor } from './acceptor.js';
export { BackendSession } from './backend.js';
export type { ChannelOptions } from './backend-channel.js';
export { BackendChannel } from './backend-channel.js';
export type {
  Answer,
  BackendHandler,
  ExternHandlers,
  ExternOutcome,
  FeatureChange,
  Outcome,
  QuiesceScope,
  ReceivedRegion,
} from './backend-handler.js';
export type { BackendOptions } from './backend-options.js';
export type { CloseReason } from './close-reason.js';
export type { Expectation, Header, Reply, ReplyForm } from './codec.js';
export {
  decodeHeader,
  decodeReply,
  decodeRequest,
  encodeMessage,
  encodeReply,
  encodeRequest,
  FLAG_NEED_REPLY,
  FLAG_REPLY,
  HEADER_SIZE,
  requestName,
  VERSION,
} from './codec.js';
export type { FrameReceiver } from './connection.js';
export { Connection } from './connection.js';
export type { ConnectionLimits } from './connection-limits.js';
export { DEFAULT_LIMITS } from './connection-limits.js';
export type { ConnectorHandler, ConnectorOptions } from './connector.js';
export { Connector } from './connector.js';
export type { FdSocket, Readiness, WatchInterest } from './fd-socket.js';
export type { DependencyIssue, FeatureDependency } from './feature-dependencies.js';
export { checkDependencies, FEATURE_DEPENDENCIES, maskDependents } from './feature-dependencies.js';
export type { FeatureName } from './features.js';
export {
  DeviceStatus,
  Feature,
  featureNames,
  hasAll,
  NetFeature,
  RingFeature,
  statusNames,
} from './features.js';
export type { Frame } from './frame-reader.js';
export type { SharedRegion } from './frontend.js';
export { FrontendClient } from './frontend.js';
export type { FrontendChannelHandler } from './frontend-channel.js';
export { FrontendChannel } from './frontend-channel.js';
export type { FrontendOptions } from './frontend-link.js';
export { FrontendLink } from './frontend-link.js';
export type { DevicePlan, FeatureWishes, Negotiated, VringPlan } from './frontend-setup.js';
export { negotiate, startDevice, startVring, stopDevice } from './frontend-setup.js';
export type { MaybePromise } from './maybe-promise.js';
export { checkRegion, checkRegions, overlapWith, sameRegion, sameTable } from './memory-layout.js';
export type {
  BackendMessage,
  BackendRequestName,
  Direction,
  FdRange,
  FrontendMessage,
  FrontendRequestName,
  MessageOf,
  MessageRow,
  PayloadOf,
  Phase,
  Quiesce,
  ReplySpec,
  RequestName,
  RingRule,
  Specs,
} from './messages.js';
export { BACKEND, BACKEND_REQUESTS, FRONTEND, FRONTEND_REQUESTS, featureMask, rowById } from './messages.js';
export { nativeSocket } from './native-socket.js';
export type { Method as FeatureMethod } from './offered-features.js';
export { derivedProtocolFeatures, FEATURE_METHODS } from './offered-features.js';
export type { OutgoingFd } from './output-queue.js';
export type { BadField, PayloadCodec } from './payload-codecs.js';
export { CODECS, MAX_PAYLOAD, MAX_TABLE_REGIONS } from './payload-codecs.js';
export type {
  ConfigAccess,
  DeviceStateTransfer,
  InflightArea,
  IotlbMessage,
  LogArea,
  MemoryRegion,
  PayloadKind,
  PayloadTypes,
  ShmemConfig,
  ShmemMap,
  VringAddr,
  VringArea,
  VringFd,
  VringState,
} from './payloads.js';
export { IotlbPerm, IotlbType, VRING_F_LOG } from './payloads.js';
export type { ProtocolFeatureName } from './protocol-features.js';
export { ProtocolFeature, protocolFeatureConflict, protocolFeatureNames } from './protocol-features.js';
export type { RawRequest } from './raw-request.js';
export type { FdHolder, ReceivedFd } from './received-fd.js';
export type { Refusal, Reject, VhostCode } from './refusal.js';
export { isRefusal, isReject, refuse, refuseFatally } from './refusal.js';
export type { Answered, RequesterOptions } from './requester.js';
export { MAX_CONFIG_SIZE, MAX_MTU, MAX_VRING_SIZE, MIN_MTU } from './session-rules.js';
export type { Notify, RingState } from './session-state.js';
export type { SocketHost } from './socket-host.js';
export { nativeHost } from './socket-host.js';
export { checkSocketPath, MAX_SOCKET_PATH, prepareSocketPath } from './socket-path.js';
export type { MemorySocketOptions } from './testing/memory-socket.js';
export { FdTable, MemorySocket, memorySocketPair } from './testing/memory-socket.js';
export type { NewEntry as NewTraceEntry, TraceEntry, TraceValue } from './trace.js';
export { formatTraceEntry, Trace, traceFields } from './trace.js';
export type { PackedPosition } from './vring-base.js';
export { packVringBase, splitVringBase, unpackVringBase } from './vring-base.js';
