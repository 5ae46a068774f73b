/**
 * The device role: one vhost-user session over one socket. Frames come in order from connection.ts, are decoded,
 * checked against the session's state and given to the device's handler; backend-answers.ts says what became of them.
 * The message table decides everything that is the same for every message.
 */
import { act } from './actions/act.js';
import type { ActionContext, ActionResult } from './actions/action.js';
import { BackendAnswers } from './backend-answers.js';
import type { BackendChannel } from './backend-channel.js';
import type { BackendHandler, ExternOutcome, QuiesceScope } from './backend-handler.js';
import type { BackendOptions } from './backend-options.js';
import { ChannelSlot } from './channel-slot.js';
import type { CloseReason } from './close-reason.js';
import { decodeRequest, FLAG_NEED_REPLY, requestName } from './codec.js';
import { Connection } from './connection.js';
import { deferred } from './deferred.js';
import type { FdSocket } from './fd-socket.js';
import type { Frame } from './frame-reader.js';
import type { MaybePromise } from './maybe-promise.js';
import { chain, ensure } from './maybe-promise.js';
import type { FrontendMessage } from './messages.js';
import { rowById } from './messages.js';
import { derivedProtocolFeatures } from './offered-features.js';
import type { MemoryRegion } from './payloads.js';
import type { RawRequest } from './raw-request.js';
import type { Reject } from './refusal.js';
import { isRefusal, isReject, refuse, refuseFatally } from './refusal.js';
import { checkMessage, ringIndexOf } from './session-rules.js';
import type { RingState } from './session-state.js';
import { SessionState } from './session-state.js';
import { Trace, traceFields } from './trace.js';

/** A vring index has 8 bits in the messages that carry its descriptors. */
const MAX_VRINGS = 256;
const DEFAULT_MEMORY_SLOTS = 32;

export class BackendSession {
  /** What went over the connection. */
  readonly trace: Trace;
  /** Settles when the connection is closed and the handler idle. Never rejects. */
  readonly closed: Promise<CloseReason>;
  readonly #state: SessionState;
  readonly #handler: BackendHandler;
  readonly #connection: Connection;
  readonly #answers: BackendAnswers;
  readonly #channel: ChannelSlot;
  readonly #context: ActionContext;

  /** Takes over the socket. Nothing is read before {@link start}. */
  constructor(socket: FdSocket, handler: BackendHandler, options: BackendOptions) {
    const { vringCount } = options;
    if (!(vringCount >= 1 && vringCount <= MAX_VRINGS)) {
      throw new RangeError(`vringCount is ${vringCount}; allowed are 1 to ${MAX_VRINGS}`);
    }
    this.#handler = handler;
    this.trace = options.trace ?? new Trace();
    const derived = derivedProtocolFeatures(handler);
    this.#state = new SessionState({
      features: options.features,
      protocolFeatures:
        (derived & (options.protocolFeatures ?? derived)) | (options.extraProtocolFeatures ?? 0n),
      vringCount,
      maxMemorySlots: options.maxMemorySlots ?? DEFAULT_MEMORY_SLOTS,
      ...(options.remedyFor === undefined ? {} : { remedyFor: options.remedyFor }),
    });
    this.#channel = new ChannelSlot(handler, options.channel, this.trace);
    this.#context = {
      state: this.#state,
      handler,
      queueNum: options.queueNum ?? Math.ceil(vringCount / 2),
      netDevice: options.device !== 'other',
      openChannel: (fd) => this.#channel.open(fd, this.#state.protocolFeatures),
    };
    const end = deferred<CloseReason>();
    this.closed = end.promise;
    const receiver = {
      frame: (frame: Frame) => this.#frame(frame),
      closed: (reason: CloseReason) => {
        this.#closed(reason);
        end.resolve(reason);
      },
    };
    this.#connection = new Connection(socket, 'frontend', 'request', receiver, options.limits);
    this.#answers = new BackendAnswers(this.#connection, this.#state, this.trace, (text) =>
      handler.messageRefused?.(text),
    );
  }

  /** Begin to serve. */
  start(): this {
    this.#connection.start();
    return this;
  }

  /** Handle what is there now, at most one batch, without waiting for readiness. Returns frames handled. */
  poll(): number {
    return this.#connection.poll();
  }

  /** Close the connection. The handler's `connectionClosed` follows. */
  close(text = 'closed by this side'): void {
    this.#connection.close({ code: 'VHOST_CLOSED', text, by: 'us' });
  }

  get open(): boolean {
    return this.#connection.open;
  }

  get closeReason(): CloseReason | undefined {
    return this.#connection.closeReason;
  }

  /** Virtio features in force; 0 before SET_FEATURES. */
  get features(): bigint {
    return this.#state.features;
  }

  /** The front-end has asked for the features on offer. */
  get featuresRead(): boolean {
    return this.#state.featuresRead;
  }

  get featuresSet(): boolean {
    return this.#state.ackedFeatures !== undefined;
  }

  get offeredFeatures(): bigint {
    return this.#state.offeredFeatures;
  }

  /** Protocol features in force; 0 before SET_PROTOCOL_FEATURES. */
  get protocolFeatures(): bigint {
    return this.#state.protocolFeatures;
  }

  get offeredProtocolFeatures(): bigint {
    return this.#state.offeredProtocolFeatures;
  }

  /** Device status byte; 0 unless STATUS is negotiated. */
  get status(): number {
    return this.#state.status;
  }

  /** Whether the driver may expect the device to run: DRIVER_OK, or no status negotiated. */
  get live(): boolean {
    return this.#state.live;
  }

  get owned(): boolean {
    return this.#state.owned;
  }

  /** All vrings as the messages left them. `enabled` is SET_VRING_ENABLE alone; see {@link ringEnabled}. */
  get rings(): readonly Readonly<RingState>[] {
    return this.#state.rings;
  }

  /** Whether the ring is enabled: by SET_VRING_ENABLE, or always when protocol features were not acked. */
  ringEnabled(index: number): boolean {
    const ring = this.#state.rings[index];
    return ring !== undefined && this.#state.ringEnabled(ring);
  }

  /** Memory regions that the front-end shares. */
  get regions(): readonly MemoryRegion[] {
    return this.#state.regions;
  }

  /** Whether a postcopy migration was announced or runs: guest memory may be absent, and touching it may wait for the front-end. */
  get postcopy(): 'off' | 'advised' | 'listening' {
    return this.#state.postcopy;
  }

  /** The channel for requests to the front-end, while it is open. */
  get channel(): BackendChannel | undefined {
    return this.#channel.channel;
  }

  /** Extern before → built-in → extern after → answer. */
  #frame(frame: Frame): void | Promise<void> {
    const raw: RawRequest = {
      id: frame.header.request,
      name: rowById('frontend', frame.header.request)?.name,
      needReply: (frame.header.flags & FLAG_NEED_REPLY) !== 0,
      payload: frame.payload,
      fds: frame.fds,
    };
    const before = this.#handler.extern?.before?.(raw) ?? 'not-handled';
    return chain(before, (outcome) => {
      if (outcome !== 'not-handled') {
        return this.#answerExtern(raw, outcome);
      }
      return chain(this.#builtIn(frame, raw), (result) => this.#answer(raw, result));
    });
  }

  #builtIn(frame: Frame, raw: RawRequest): MaybePromise<ActionResult | Reject> {
    if (this.#isPostcopyConfirmation(raw)) {
      return this.#postcopyConfirmed(raw);
    }
    const message = decodeRequest('frontend', frame.headerBytes, frame.payload, frame.fds);
    if (isReject(message)) {
      this.trace.add({ dir: 'in', name: message.message, needReply: raw.needReply, fds: raw.fds.length });
      return message.code === 'VHOST_UNKNOWN_REQUEST' ? 'not-handled' : message;
    }
    const { name, needReply, row, payload } = message;
    this.trace.add({ dir: 'in', name, needReply, fds: raw.fds.length, fields: traceFields(row, payload) });
    return chain(checkMessage(this.#state, message) ?? this.#act(message), (result) => {
      if (isRefusal(result)) {
        this.#state.refused(name);
      }
      return result;
    });
  }

  #act(message: FrontendMessage): MaybePromise<ActionResult> {
    const { quiesce, resume } = this.#handler;
    if (message.row.quiesce === 'none' || (quiesce === undefined && resume === undefined)) {
      return act(this.#context, message);
    }
    const ring = message.row.quiesce === 'ring' ? ringIndexOf(message) : undefined;
    const scope: QuiesceScope = { message: message.name, ring };
    const body = () => chain(quiesce?.call(this.#handler, scope), () => act(this.#context, message));
    return ensure(body, () => resume?.call(this.#handler, scope));
  }

  #answer(raw: RawRequest, result: ActionResult | Reject): MaybePromise<void> {
    if (isReject(result)) {
      this.#answers.reject(raw, result);
      return;
    }
    if (isRefusal(result)) {
      this.#answers.refuse(raw, result);
      return;
    }
    const after = this.#handler.extern?.after?.(raw, result !== 'not-handled') ?? 'not-handled';
    return chain(after, (outcome) => {
      if (outcome !== 'not-handled') {
        return this.#answerExtern(raw, outcome);
      }
      const row = rowById('frontend', raw.id);
      if (row === undefined || result === 'not-handled') {
        const code = row === undefined ? 'VHOST_UNKNOWN_REQUEST' : 'VHOST_NOT_SUPPORTED';
        this.#answers.refuse(raw, refuse(`${requestName('frontend', raw.id)} is not supported here`, code));
        return;
      }
      this.#answers.confirm(raw, row, result);
      return this.#handled(raw);
    });
  }

  #answerExtern(raw: RawRequest, outcome: Exclude<ExternOutcome, 'not-handled'>): MaybePromise<void> {
    if (isRefusal(outcome)) {
      this.#answers.refuse(raw, outcome);
      return;
    }
    if (outcome === 'handled') {
      this.#answers.confirmExtern(raw, undefined);
    } else {
      this.#answers.confirmExtern(raw, outcome.reply, outcome.fds);
    }
    return this.#handled(raw);
  }

  #handled(raw: RawRequest): MaybePromise<void> {
    if (raw.name !== undefined && this.#connection.open) {
      return this.#handler.messageHandled?.(raw.name as FrontendMessage['name']);
    }
  }

  /** The front-end confirms memory that was answered with addresses: the same request again, with a u64 of 0. */
  #isPostcopyConfirmation(raw: RawRequest): boolean {
    const named = raw.name === 'SET_MEM_TABLE' || raw.name === 'ADD_MEM_REG';
    return this.#state.postcopyConfirmation && named && raw.payload.length === 8 && raw.fds.length === 0;
  }

  #postcopyConfirmed(raw: RawRequest): MaybePromise<ActionResult> {
    this.trace.note('postcopy confirmed');
    this.#state.postcopyConfirmation = false;
    if (raw.payload.some((byte) => byte !== 0)) {
      return refuseFatally('postcopy: the front-end could not register the memory', 'VHOST_BAD_MEMORY');
    }
    return chain(this.#handler.postcopyReady?.(), (refusal) => (isRefusal(refusal) ? refusal : 'done'));
  }

  #closed(reason: CloseReason): void {
    this.#channel.drop('the session ended');
    this.trace.note('closed', { code: reason.code, by: reason.by });
    try {
      this.#handler.connectionClosed?.(reason);
    } catch (error) {
      // The session is over; a device that fails now must not take the process with it.
      this.trace.note('handler failed', { error: error instanceof Error ? error.message : String(error) });
    }
  }
}
