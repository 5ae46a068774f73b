/** The action of every message, in one table: what a back-end session does with a message that passed the rules. */
import type { MaybePromise } from '../maybe-promise.js';
import type { FrontendMessage } from '../messages.js';
import type { ActionContext, ActionResult, Actions } from './action.js';
import { DEVICE_ACTIONS } from './device.js';
import { MEMORY_ACTIONS } from './memory.js';
import { NEGOTIATION_ACTIONS } from './negotiation.js';
import { POSTCOPY_ACTIONS } from './postcopy.js';
import { RING_ACTIONS } from './rings.js';

/** One row for each message that is handled here; the others are for extern handlers. */
export const ACTIONS: Actions = {
  ...NEGOTIATION_ACTIONS,
  ...MEMORY_ACTIONS,
  ...RING_ACTIONS,
  ...DEVICE_ACTIONS,
  ...POSTCOPY_ACTIONS,
};

/** Act on a message. */
export function act(context: ActionContext, message: FrontendMessage): MaybePromise<ActionResult> {
  const action = ACTIONS[message.name] as
    | ((context: ActionContext, message: FrontendMessage) => MaybePromise<ActionResult>)
    | undefined;
  return action === undefined ? 'not-handled' : action(context, message);
}
