/** Native calls on behalf of a message: what they throw is the answer to the front-end. Used by the handlers of VhostDevice. */
import type { Refusal } from '@pollwire/vhost-user';
import { refuse } from '@pollwire/vhost-user';

export function attempt<T>(action: () => T): T | Refusal {
  try {
    return action();
  } catch (error) {
    return refuse((error as Error).message);
  }
}
