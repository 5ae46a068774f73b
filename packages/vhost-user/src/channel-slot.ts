/**
 * The place of a session's back-end channel: opened by SET_BACKEND_REQ_FD, replaced by the next one, given up when its
 * other end goes away. The device hears of every change; none of them is fatal.
 */
import type { ActionResult } from './actions/action.js';
import { BackendChannel } from './backend-channel.js';
import type { BackendHandler } from './backend-handler.js';
import type { BackendOptions } from './backend-options.js';
import type { FdSocket } from './fd-socket.js';
import type { MaybePromise } from './maybe-promise.js';
import { chain } from './maybe-promise.js';
import { nativeSocket } from './native-socket.js';
import type { ReceivedFd } from './received-fd.js';
import { isRefusal, refuse } from './refusal.js';
import type { Trace } from './trace.js';

export class ChannelSlot {
  readonly #handler: BackendHandler;
  readonly #options: NonNullable<BackendOptions['channel']>;
  readonly #trace: Trace;
  #channel: BackendChannel | undefined;

  constructor(handler: BackendHandler, options: BackendOptions['channel'], trace: Trace) {
    this.#handler = handler;
    this.#options = options ?? {};
    this.#trace = trace;
  }

  get channel(): BackendChannel | undefined {
    return this.#channel;
  }

  /** Make a channel of the descriptor and give it to the device. */
  open(fd: ReceivedFd, protocolFeatures: bigint): MaybePromise<ActionResult> {
    const { setBackendChannel } = this.#handler;
    if (setBackendChannel === undefined) {
      return 'not-handled';
    }
    let socket: FdSocket;
    try {
      socket = (this.#options.open ?? nativeSocket)(fd.value);
    } catch (error) {
      const why = error instanceof Error ? error.message : 'not a socket';
      return refuse(`SET_BACKEND_REQ_FD: ${why}`, 'VHOST_BAD_FD_TYPE');
    }
    fd.take();
    this.drop('replaced by a new back-end channel');
    const channel = new BackendChannel(socket, protocolFeatures, this.#trace, this.#options);
    this.#channel = channel;
    void channel.closed.then(() => this.#lost(channel));
    return chain(setBackendChannel.call(this.#handler, channel), (refusal) => {
      if (isRefusal(refusal)) {
        this.drop('refused by the device');
        return refusal;
      }
      return 'done';
    });
  }

  /** Close the channel, if there is one, without telling the device. */
  drop(text: string): void {
    const channel = this.#channel;
    this.#channel = undefined;
    channel?.close(text);
  }

  #lost(channel: BackendChannel): void {
    if (this.#channel !== channel) {
      return;
    }
    this.#channel = undefined;
    this.#trace.note('back-end channel lost', { code: channel.closeReason?.code ?? 'VHOST_CLOSED' });
    void this.#tellLoss();
  }

  /** Nobody is there to refuse to: what the handler throws here is noted and no more. */
  async #tellLoss(): Promise<void> {
    try {
      await this.#handler.setBackendChannel?.(undefined);
    } catch (error) {
      this.#trace.note('handler failed', { error: error instanceof Error ? error.message : String(error) });
    }
  }
}
