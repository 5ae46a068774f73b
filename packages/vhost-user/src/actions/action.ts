/** What the action tables share: their context, their results, and the few steps that most actions are made of. */
import type { BackendHandler, Outcome } from '../backend-handler.js';
import type { MaybePromise } from '../maybe-promise.js';
import { chain } from '../maybe-promise.js';
import type { FrontendRequestName, MessageOf } from '../messages.js';
import type { OutgoingFd } from '../output-queue.js';
import type { PayloadKind, PayloadTypes, VringFd } from '../payloads.js';
import type { ReceivedFd } from '../received-fd.js';
import type { Refusal } from '../refusal.js';
import { isRefusal } from '../refusal.js';
import type { Notify, SessionState } from '../session-state.js';

/** A reply of the message's own. */
export interface OwnReply {
  readonly kind: 'reply';
  readonly payload: PayloadKind;
  readonly value: PayloadTypes[PayloadKind];
  readonly fds: readonly OutgoingFd[];
}

/** Done (an ack, if asked for), answered, refused, or nobody's business here. */
export type ActionResult = 'done' | 'not-handled' | OwnReply | Refusal;

/** What an absent handler method amounts to. */
export const NOT_HANDLED = 'not-handled';

/** What the actions work on. */
export interface ActionContext {
  readonly state: SessionState;
  readonly handler: BackendHandler;
  /** What GET_QUEUE_NUM answers. */
  readonly queueNum: number;
  /** Virtio-net's dependent bits are masked; other device types decide themselves. */
  readonly netDevice: boolean;
  /** Turn the descriptor of SET_BACKEND_REQ_FD into a channel. */
  openChannel(fd: ReceivedFd): MaybePromise<ActionResult>;
}

/** Actions by message. The state changes only after the handler agreed. */
export type Actions = {
  readonly [N in FrontendRequestName]?: (
    context: ActionContext,
    message: MessageOf<N>,
  ) => MaybePromise<ActionResult>;
};

/** An outcome as a result, with what to note when the handler agreed, or to take back when it did not. */
export function done(
  outcome: Outcome | undefined,
  agreed?: () => void,
  refused?: () => void,
): MaybePromise<'done' | Refusal> {
  return chain(outcome, (refusal) => {
    if (isRefusal(refusal)) {
      refused?.();
      return refusal;
    }
    agreed?.();
    return 'done';
  });
}

export function reply<K extends PayloadKind>(
  payload: K,
  value: PayloadTypes[K],
  fds: readonly OutgoingFd[] = [],
): OwnReply {
  return { kind: 'reply', payload, value, fds };
}

export function notifyOf({ noFd }: VringFd): Notify {
  return noFd ? 'poll' : 'eventfd';
}

export function vringFdOf({ noFd }: VringFd, fds: readonly ReceivedFd[]): ReceivedFd | undefined {
  return noFd ? undefined : fdAt(fds, 0);
}

/** A descriptor that the decoder has counted. */
export function fdAt(fds: readonly ReceivedFd[], at: number): ReceivedFd {
  const fd = fds[at];
  if (fd === undefined) {
    throw new RangeError(`descriptor ${at} was not checked`);
  }
  return fd;
}
